package modules

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"path"
	"strings"

	"mageprov/internal/module"
	"mageprov/internal/node"
)

// newHash gives nil for an unknown name.
func newHash(algo string) hash.Hash {
	switch strings.ToLower(algo) {
	case "md5":
		return md5.New()
	case "sha1":
		return sha1.New()
	case "sha224":
		return sha256.New224()
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return nil
}

// hashOf gives the sum of a file of the node in hexadecimal.
func hashOf(n node.Reader, file, algo string) (string, error) {
	r, err := n.Open(file)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", file, err)
	}
	defer r.Close()
	h := newHash(algo)
	if _, err := io.Copy(h, r); err != nil {
		return "", fmt.Errorf("reading %s: %w", file, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sums counts a stream once for all sums that are returned or compared.
type sums struct {
	byName map[string]hash.Hash
}

func newSums(algo string) *sums {
	s := &sums{byName: map[string]hash.Hash{"sha1": sha1.New(), "md5": md5.New()}}
	if algo != "" && s.byName[algo] == nil {
		s.byName[algo] = newHash(algo)
	}
	return s
}

func (s *sums) Write(p []byte) (int, error) {
	for _, h := range s.byName {
		h.Write(p)
	}
	return len(p), nil
}

func (s *sums) sum(algo string) string { return hex.EncodeToString(s.byName[algo].Sum(nil)) }

// keeper keeps what is written, up to a limit.
type keeper struct {
	data  []byte
	limit int
	over  bool
}

func (k *keeper) Write(p []byte) (int, error) {
	if k.over = k.over || len(k.data)+len(p) > k.limit; k.over {
		k.data = nil
	} else {
		k.data = append(k.data, p...)
	}
	return len(p), nil
}

// wanted works out the sum that checksum asks for; it may stand in a list of
// sums that a server has.
func (f *fetch) wanted(ctx context.Context, n node.Reader) error {
	if f.m.Checksum == "" {
		return nil
	}
	algo, sum, _ := strings.Cut(f.m.Checksum, ":")
	f.algo, f.want = strings.ToLower(strings.TrimSpace(algo)), strings.ToLower(strings.TrimSpace(sum))
	if !strings.Contains(sum, "://") {
		if len(f.want) != newHash(f.algo).Size()*2 || strings.Trim(f.want, "0123456789abcdef") != "" {
			return &module.Failure{Msg: fmt.Sprintf("The checksum %q is no %s sum", sum, f.algo)}
		}
		return nil
	}
	list := strings.TrimSpace(sum)
	text, err := f.readList(ctx, n, list)
	if err != nil {
		return err
	}
	if f.want = sumInList(text, fileOfURL(f.m.URL)); f.want == "" {
		return &module.Failure{Msg: fmt.Sprintf("Unable to find a checksum for file '%s' in '%s'", fileOfURL(f.m.URL), hidePassword(list))}
	}
	return nil
}

func (f *fetch) readList(ctx context.Context, n node.Reader, list string) (string, error) {
	if file, ok := strings.CutPrefix(list, "file://"); ok {
		b, err := n.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("reading the list of checksums: %w", err)
		}
		return string(b), nil
	}
	req := httpRequest{Method: http.MethodGet, URL: list, Header: f.m.header(), User: f.m.User, Password: f.m.Password, Follow: "urllib2"}
	resp, err := f.m.do(ctx, n, req)
	if err != nil {
		return "", &module.Failure{Msg: "Unable to get the list of checksums: " + requestProblem(err)}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", &module.Failure{Msg: fmt.Sprintf("Unable to get the list of checksums from %s: HTTP Error %d", hidePassword(list), resp.StatusCode)}
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	return string(b), err
}

// sumInList finds a file in the output of sha256sum: "sum  name" or "sum *name",
// BSD's "SHA256 (name) = sum", or a list of one sum without a name.
func sumInList(text, name string) string {
	lines := textLines(text)
	alone := ""
	for _, line := range lines {
		w := strings.Fields(line)
		switch {
		case len(w) == 1:
			alone = w[0]
		case len(w) == 4 && w[2] == "=" && path.Base(strings.Trim(w[1], "()")) == name:
			return strings.ToLower(w[3])
		case len(w) == 2 && path.Base(strings.TrimLeft(w[1], "*")) == name:
			return strings.ToLower(w[0])
		}
	}
	if len(lines) == 1 {
		return strings.ToLower(alone)
	}
	return ""
}
