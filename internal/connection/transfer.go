package connection

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/pkg/sftp"

	"mageprov/internal/fault"
)

// sftpClient opens the sftp session once; it is nil when the server has none.
func (c *sshConn) sftpClient() *sftp.Client {
	c.sftpMu.Lock()
	defer c.sftpMu.Unlock()
	if c.sftp == nil && c.sftpErr == nil {
		c.sftp, c.sftpErr = sftp.NewClient(c.client, sftp.UseConcurrentWrites(true), sftp.UseConcurrentReads(true))
	}
	return c.sftp
}

func (c *sshConn) Upload(ctx context.Context, r io.Reader, size int64, dst string, mode uint32, progress func(done, total int64)) error {
	if mode == 0 {
		mode = 0o600
	}
	var raw [8]byte
	rand.Read(raw[:]) // never fails
	tmp := path.Join(path.Dir(dst), "."+path.Base(dst)+"."+hex.EncodeToString(raw[:])+".part")
	src := &counted{ctx: ctx, r: io.LimitReader(r, size), total: size, progress: progress}
	var err error
	if s := c.sftpClient(); s != nil {
		err = uploadSFTP(s, src, size, tmp, dst, mode)
	} else {
		err = c.uploadCat(ctx, src, size, tmp, dst, mode)
	}
	return fault.Wrap(err, "uploading to %s on %s", dst, c.name)
}

func uploadSFTP(s *sftp.Client, src *counted, size int64, tmp, dst string, mode uint32) error {
	f, err := s.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	err = f.Chmod(os.FileMode(mode)) // before the content, which may be secret
	if err == nil {
		_, err = f.ReadFromWithConcurrency(src, 64)
	}
	if err == nil && src.done != size {
		err = fmt.Errorf("%d of %d bytes came", src.done, size)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = s.PosixRename(tmp, dst)
	}
	if err != nil {
		s.Remove(tmp)
	}
	return err
}

// uploadCat is for servers without the sftp subsystem.
func (c *sshConn) uploadCat(ctx context.Context, src *counted, size int64, tmp, dst string, mode uint32) error {
	line := fmt.Sprintf(`umask 077; cat >%[1]s && [ "$(wc -c <%[1]s)" -eq %[3]d ] && chmod %[4]o %[1]s && mv -f %[1]s %[2]s || { rm -f %[1]s; exit 1; }`,
		Quote(tmp), Quote(dst), size, mode)
	rc, _, stderr, err := c.Exec(ctx, "/bin/sh -c "+Quote(line), Become{}, src)
	if err != nil {
		return err
	}
	if rc != 0 {
		return fault.New("exit code %d%s", rc, said(stderr))
	}
	return nil
}

func (c *sshConn) Download(ctx context.Context, src string, w io.Writer) error {
	s := c.sftpClient()
	if s == nil {
		return fault.Wrap(Cat(ctx, c, src, Become{}, w), "downloading %s from %s", src, c.name)
	}
	f, err := s.Open(src)
	if err != nil {
		return fault.Wrap(err, "downloading %s from %s", src, c.name)
	}
	defer f.Close()
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	_, err = f.WriteTo(w)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fault.Wrap(err, "downloading %s from %s", src, c.name)
}
