package remote

import (
	"context"
	"os"
	"path/filepath"

	"mageprov/internal/fault"
)

// UploadFile is Upload for a file of the controller.
func (s *Session) UploadFile(ctx context.Context, file string, progress func(done, total int64)) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !fi.Mode().IsRegular() {
		return "", fault.New("%s is not a file", file)
	}
	return s.Upload(ctx, f, fi.Size(), filepath.Base(file), progress)
}

// DownloadFile is Download to a file of the controller, which appears whole or
// not at all; directories above it are made.
func (s *Session) DownloadFile(ctx context.Context, path, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := s.Download(ctx, path, tmp); err != nil {
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}
