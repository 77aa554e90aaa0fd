package node

import (
	"io/fs"
	"path"
	"strings"
	"syscall"
)

// maxLinks is the kernel's limit of links in one path.
const maxLinks = 40

// resolve gives p absolute, clean and without links, asking lstat for each
// part. A part that does not exist is an error, except the last one.
func resolve(p string, followLast bool, lstat func(p string) (mode fs.FileMode, target string, err error)) (string, error) {
	todo := strings.Split(path.Clean("/"+p), "/")[1:]
	done, links := "", 0
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = strings.TrimSuffix(done, "/"+path.Base(done))
			continue
		}
		next := done + "/" + part
		if len(todo) == 0 && !followLast {
			return next, nil
		}
		mode, target, err := lstat(next)
		if err != nil {
			if len(todo) == 0 && isNotExist(err) {
				return next, nil
			}
			return "", &fs.PathError{Op: "open", Path: p, Err: rootCause(err)}
		}
		switch {
		case mode&fs.ModeSymlink != 0:
			if links++; links > maxLinks {
				return "", &fs.PathError{Op: "open", Path: p, Err: syscall.ELOOP}
			}
			if strings.HasPrefix(target, "/") {
				done = ""
			}
			todo = append(strings.Split(target, "/"), todo...)
			if len(todo) == 0 {
				return done, nil
			}
			continue
		case len(todo) > 0 && !mode.IsDir():
			return "", &fs.PathError{Op: "open", Path: p, Err: syscall.ENOTDIR}
		}
		done = next
	}
	if done == "" {
		done = "/"
	}
	return done, nil
}

func isNotExist(err error) bool { return rootCause(err) == syscall.ENOENT }

func rootCause(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	}
	return err
}
