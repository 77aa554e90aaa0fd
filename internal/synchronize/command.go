package synchronize

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"mageprov/internal/connection"
	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/wire"
)

// marker begins each line that says what rsync changed.
const marker = "<<CHANGED>>"

// options gives rsync's options, in Ansible's order.
func (m *synchronize) options(login module.Login) []string {
	var out []string
	flag := func(on bool, name string) {
		if on {
			out = append(out, name)
		}
	}
	flag(m.DelayUpdates, "--delay-updates")
	out = append(out, "-F")
	flag(m.Compress, "--compress")
	if m.RsyncTimeout > 0 {
		out = append(out, "--timeout="+strconv.Itoa(m.RsyncTimeout))
	}
	flag(m.Delete, "--delete-after")
	flag(m.ExistingOnly, "--existing")
	flag(m.Checksum, "--checksum")
	flag(m.CopyLinks, "--copy-links")
	flag(m.Archive, "--archive")
	for _, part := range []struct {
		on   *bool
		name string
	}{{m.Recursive, "recursive"}, {m.Links, "links"}, {m.Perms, "perms"}, {m.Times, "times"}, {m.Owner, "owner"}, {m.Group, "group"}} {
		switch {
		case part.on == nil:
		case *part.on && !m.Archive:
			out = append(out, "--"+part.name)
		case !*part.on && m.Archive:
			out = append(out, "--no-"+part.name)
		}
	}
	flag(m.Dirs, "--dirs")
	flag(m.Partial, "--partial")
	for _, dir := range m.LinkDest {
		out = append(out, "--link-dest="+dir)
	}
	if !login.Local && !daemon(m.Src) && !daemon(m.Dest) || !login.Local && m.DestPort != 0 {
		out = append(out, "--rsh="+m.shell(login))
		if there := m.there(login); there != "" {
			out = append(out, "--rsync-path="+there)
		}
	}
	return append(out, m.RsyncOpts...)
}

// there is the rsync command on the host.
func (m *synchronize) there(login module.Login) string {
	if m.RsyncPath != "" || len(login.Become) == 0 {
		return m.RsyncPath
	}
	return connection.QuoteAll(append(append([]string(nil), login.Become...), "rsync"))
}

// shell is the ssh command. What comes first holds: the task's own settings.
func (m *synchronize) shell(login module.Login) string {
	argv := []string{"ssh"}
	if !m.SSHConnectionMultiplexing {
		argv = append(argv, "-S", "none")
	}
	if m.PrivateKey != "" {
		argv = append(argv, "-i", home(m.PrivateKey))
	}
	if m.VerifyHost {
		argv = append(argv, "-o", "StrictHostKeyChecking=yes")
	}
	port := login.Port
	if m.DestPort != 0 {
		port = m.DestPort
	}
	if port != 0 {
		argv = append(argv, "-p", strconv.Itoa(port))
	}
	argv = append(argv, login.SSH...)
	for i, word := range argv {
		argv[i] = rshWord(word)
	}
	return strings.Join(argv, " ")
}

// rshWord quotes for rsync, which splits --rsh itself and knows no backslash.
func rshWord(s string) string {
	if s != "" && !strings.ContainsAny(s, " '\"\t") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// output is what rsync said.
type output struct {
	rc             int
	stdout, stderr string
}

// run starts rsync where it belongs.
func run(ctx context.Context, c module.Controller, login module.Login, argv []string) (output, error) {
	if login.Local || login.OnNode {
		words := make([]string, len(argv))
		for i, w := range argv {
			if words[i] = connection.Quote(w); login.OnNode && strings.HasPrefix(w, "~/") {
				words[i] = "~/" + connection.Quote(w[2:])
			}
		}
		rc, stdout, stderr, err := c.Exec(ctx, "LC_ALL=C "+strings.Join(words, " "))
		return output{rc, string(stdout), string(stderr)}, err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return output{}, context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist):
		return output{rc: 127, stderr: argv[0] + ": not found"}, nil
	case errors.As(err, &exit):
		return output{exit.ExitCode(), stdout.String(), stderr.String()}, nil
	case err != nil:
		return output{}, fault.Wrap(err, "starting %s", argv[0])
	}
	return output{0, stdout.String(), stderr.String()}, nil
}

// result tells in Ansible's keys what became of it.
func result(c module.Controller, login module.Login, argv []string, out output) *module.Result {
	cmd := connection.QuoteAll(argv)
	res := &module.Result{Return: map[string]any{"cmd": cmd, "rc": int64(out.rc)}}
	if out.rc != 0 {
		res.Failed = true
		res.Msg, res.Hint = explain(c.Host(), login, out)
		res.Return["stderr"] = out.stderr
		return res
	}
	clean := strings.ReplaceAll(out.stdout, marker, "")
	lines := []any{}
	for _, l := range strings.Split(clean, "\n") {
		if l != "" {
			lines = append(lines, l)
		}
	}
	res.Changed = strings.Contains(out.stdout, marker)
	res.Return["msg"], res.Return["stdout_lines"] = clean, lines
	if res.Changed {
		src, dest := argv[len(argv)-2], argv[len(argv)-1]
		res.Changes = []wire.Change{{What: "synchronize " + src + " to " + dest, After: clean, BeforeName: dest, AfterName: dest}}
	}
	return res
}

// explain gives the message of a failure and the next step.
func explain(host string, login module.Login, out output) (msg, hint string) {
	msg = out.stderr
	has := func(s string) bool { return strings.Contains(out.stderr, s) }
	switch {
	case out.rc == 127 && (login.Local || login.OnNode || !has("connection unexpectedly closed")):
		where := "the controller"
		if login.OnNode {
			where = "the node that the task is delegated to"
		}
		return "there is no rsync on " + where + ": " + strings.TrimSpace(msg), "install the package rsync there"
	case has("a password is required"), has("a terminal is required"):
		return "sudo on " + host + " needs a password, which rsync cannot give: " + strings.TrimSpace(msg), "allow rsync in the node's sudoers with NOPASSWD, or log in as the user"
	case out.rc == 127, has("rsync: command not found"), has("rsync: not found"), has("connection unexpectedly closed") && has("No such file or directory"):
		return "there is no rsync on " + host + ": " + strings.TrimSpace(msg), "a task before this one may install it: package: {name: rsync}"
	case has("Permission denied (publickey"), has("Permission denied (password"), has("Permission denied (keyboard"), has("Permission denied (gssapi"):
		return msg, "rsync makes its own ssh connection, which cannot use a password: a key or an agent is needed"
	case has("Host key verification failed"):
		return msg, "the host's key must be in known_hosts; --host-key accept-new stores it"
	}
	return msg, ""
}
