package remote

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"

	"mageprov/internal/connection"
	"mageprov/internal/fault"
	"mageprov/internal/wire"
)

// bootMark begins what the start script says to us.
const bootMark = "\x00mageprov-boot "

// startScript starts the worker if the node has it, and otherwise asks for it,
// stores it, and starts it: one exec, and no more round trips than the transfer.
//
// It runs as the user whom the worker serves, who owns the program and its
// directory: nobody runs what another user could have changed. Directories are
// tried in turn, for hardened nodes mount some of them noexec (then neither -x
// holds nor does the probe run). One that exists must be a real directory, the
// user's own, and private.
const startScript = `m=/proc/sys/kernel/arch
[ -r $m ] && read -r m <$m && m="Linux $m" || m=$(uname -sm)
case $m in
%[1]s*) printf '\000mageprov-boot machine %%s\n' "$m"; exit 3;;
esac
ok() { [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] && case $(ls -ld "$1") in drwx------*) ;; *) false;; esac; }
run() { f=$1/$n; [ %[2]s ] && [ -x "$f" ] && [ -f "$f" ] && [ ! -L "$f" ] && [ -O "$f" ] && ok "$1" && exec "$f" worker; }
[ "$HOME" ] && run "$HOME/.cache/mageprov"
u=$(id -u)
set -- "$HOME/.cache/mageprov" /var/tmp/mageprov-$u /tmp/mageprov-$u /run/user/$u/mageprov /run/mageprov-$u /dev/shm/mageprov-$u
[ "$HOME" ] || shift
for d; do run "$d"; done
umask 077
for d; do
mkdir -p "$d" 2>/dev/null; ok "$d" || continue
t=$d/.new$$
printf '#!/bin/sh\n' 2>/dev/null >"$t" && chmod 700 "$t" && "$t" 2>/dev/null || { rm -f "$t"; continue; }
command -v zstd >/dev/null && z=zstd || z=gzip
printf '\000mageprov-boot push %%s %%s\n' "$m" "$z"
read -r z size sum || exit 4
if head -c "$size" | "$z" -dc >"$t" && [ "$(sha256sum <"$t")" = "$sum  -" ] && { sync "$t" 2>/dev/null || :; } && chmod 700 "$t" && mv -f "$t" "$d/$n"; then
find "$d" -name '.new*' -mmin +60 -delete 2>/dev/null
ls -t "$d" | grep '^worker-' | tail -n +3 | while read -r o; do rm -f "$d/$o"; done
exec "$d/$n" worker
fi
rm -f "$t"
printf '\000mageprov-boot broken %%s\n' "$d"
exit 5
done
printf '\000mageprov-boot nowhere\n'
exit 6`

// script fills in the names of the workers we have.
func script(bins map[string]*binary, force bool) string {
	var cases []string
	for uname, machine := range machines {
		if b := bins[machine]; b != nil {
			cases = append(cases, fmt.Sprintf("'%s') m=%s n=%s;;\n", uname, machine, b.name()))
		}
	}
	sort.Strings(cases)
	found := "1"
	if force { // the one that is there is broken
		found = "''"
	}
	return fmt.Sprintf(startScript, strings.Join(cases, ""), found)
}

// greet waits for the worker's Hello, and pushes the worker when it is asked to.
func greet(ctx context.Context, host string, p connection.Process, r *wire.Reader, bins map[string]*binary, progress func(done, total int64)) (*wire.Hello, []byte, error) {
	for {
		which, noise, err := r.Seek(wire.Preamble, bootMark)
		if err != nil {
			return nil, noise, err
		}
		if which == 0 {
			h, err := hello(r)
			return h, noise, err
		}
		line, err := r.Line()
		if err != nil {
			return nil, noise, err
		}
		verb, arg, _ := strings.Cut(line, " ")
		switch verb {
		case "push":
			machine, tool, _ := strings.Cut(arg, " ")
			if err := push(ctx, p.Stdin(), bins[machine], tool, progress); err != nil {
				return nil, noise, fmt.Errorf("pushing the worker: %w", err)
			}
		case "machine":
			return nil, noise, noWorkerFor(host, arg)
		case "broken":
			return nil, noise, fault.New("the worker did not arrive whole in %s on %s", arg, host).WithCode(fault.ExitUnreachable).
				WithHint("is there space (df %s)? gzip and sha256sum must be installed", connection.Quote(arg))
		case "nowhere":
			return nil, noise, fault.New("%s has no directory for the worker", host).WithCode(fault.ExitUnreachable).
				WithHint("tried ~/.cache/mageprov, /var/tmp, /tmp, /run/user, /run and /dev/shm: one must be writable, without noexec, and a directory mageprov* there must be the user's own with mode 0700")
		default:
			return nil, noise, fmt.Errorf("the start script said %q", line)
		}
	}
}

func noWorkerFor(host, uname string) error {
	f := fault.New("no worker for %s, which is %s", host, uname).WithCode(fault.ExitUnreachable)
	if _, known := machines[uname]; known {
		return f.WithHint("this program was built without the workers for other machines: run make build")
	}
	return f.WithHint("managed nodes are Linux on x86_64 or aarch64")
}

// push answers the start script with tool, size, checksum and program.
func push(ctx context.Context, w io.Writer, b *binary, tool string, progress func(done, total int64)) error {
	if b == nil {
		return fmt.Errorf("the node asked for a worker that does not exist")
	}
	tool, data, err := b.packed(tool)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s %d %s\n", tool, len(data), b.build); err != nil {
		return err
	}
	const piece = 64 << 10
	for at := 0; at < len(data); at += piece {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(at+piece, len(data))
		if _, err := w.Write(data[at:end]); err != nil {
			return err
		}
		if progress != nil {
			progress(int64(end), int64(len(data)))
		}
	}
	return nil
}

func hello(r *wire.Reader) (*wire.Hello, error) {
	k, body, err := r.Next()
	if err != nil {
		return nil, err
	}
	if k != wire.KindHello {
		return nil, fmt.Errorf("the worker began with %s", k)
	}
	h := &wire.Hello{}
	return h, wire.Decode(body, h)
}
