package module

import (
	"path"
	"strings"

	"mageprov/internal/node"
)

// JobDir is the directory where the states of jobs (async) are kept: what
// ANSIBLE_ASYNC_DIR in the task's environment says, else ~/.ansible_async. ~ is
// the home of the user that the task runs as.
func JobDir(n node.Reader) string {
	dir := n.Getenv("ANSIBLE_ASYNC_DIR")
	if dir == "" {
		dir = "~/.ansible_async"
	}
	if rest, ok := strings.CutPrefix(dir, "~"); ok && (rest == "" || rest[0] == '/') {
		home := n.Getenv("HOME") // sudo may have kept that of the login user
		if u, err := n.LookupUID(n.UID()); err == nil && u.Home != "" {
			home = u.Home
		}
		return path.Join("/", home, rest)
	}
	return path.Clean(dir)
}
