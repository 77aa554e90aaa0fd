package worker

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Command is the argument that makes a program a worker.
const Command = "worker"

// RunIfAsked serves on standard input and output, and ends the process, if the
// program was started as "NAME worker". It stands first in the main function of
// every program that may be pushed to a node, and in TestMain.
func RunIfAsked() {
	if len(os.Args) == 2 && os.Args[1] == Command || isJob(os.Args) {
		os.Exit(Main())
	}
}

// Main is a whole worker process; it gives the exit code.
func Main() int {
	if isJob(os.Args) {
		return jobMain()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	outliveConnection()
	syscall.Umask(defaultUmask)

	self, size, err := identify()
	if err == nil {
		var tmp string
		if tmp, err = sessionDir(filepath.Dir(self)); err == nil {
			defer os.RemoveAll(tmp)
			err = Serve(ctx, os.Stdin, os.Stdout, Options{Build: filepath.Base(self), Size: size, Tmp: tmp, Node: localNodes()})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mageprov worker:", err)
		return 1
	}
	return 0
}

// outliveConnection keeps a cut connection from killing a task in the middle:
// the hang-up and the broken pipe are caught (not ignored, for children would
// inherit that).
func outliveConnection() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGPIPE)
}

// identify gives the path of this program and its size.
func identify() (path string, size int64, err error) {
	if path, err = os.Executable(); err != nil {
		return "", 0, err
	}
	fi, err := os.Stat("/proc/self/exe") // path may have been replaced by now
	if err != nil {
		return "", 0, err
	}
	return path, fi.Size(), nil
}

const sessionPrefix = "session-"

// sessionDir makes a directory for this session where scripts may be executed:
// beside the worker's program if that place is private, as it is on a node;
// else in the user's cache; else among the temporary files. Directories of
// sessions that were killed are removed.
func sessionDir(beside string) (string, error) {
	places := []string{beside}
	if home, err := os.UserHomeDir(); err == nil {
		cache := filepath.Join(home, ".cache", "mageprov")
		if os.MkdirAll(filepath.Dir(cache), 0o755) == nil {
			_ = os.Mkdir(cache, 0o700) // it is checked below, whoever made it
		}
		places = append(places, cache)
	}
	for _, dir := range places {
		if !private(dir) {
			continue
		}
		if err := sweep(dir, sessionPrefix); err != nil {
			return "", err
		}
		return os.MkdirTemp(dir, sessionPrefix+strconv.Itoa(os.Getpid())+"-*")
	}
	prefix := "mageprov-" + sessionPrefix
	if err := sweep(os.TempDir(), prefix); err != nil {
		return "", err
	}
	return os.MkdirTemp("", prefix+strconv.Itoa(os.Getpid())+"-*")
}

// sweep removes the directories of this user's sessions that have ended.
func sweep(dir, prefix string) error {
	old, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	for _, d := range old {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(d), prefix), "-")
		if _, err := os.Stat("/proc/" + pid); os.IsNotExist(err) && private(d) {
			os.RemoveAll(d)
		}
	}
	return err
}

// private says whether dir is a directory that only this user can enter.
func private(dir string) bool {
	fi, err := os.Lstat(dir)
	if err != nil || !fi.IsDir() || fi.Mode().Perm() != 0o700 {
		return false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
