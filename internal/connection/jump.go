package connection

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"

	"mageprov/internal/fault"
)

// Dialer connects many targets and shares the connections to their jump hosts:
// a bastion's sshd drops logins when too many come at once (MaxStartups). The
// zero value is ready; use one for a run.
type Dialer struct {
	mu    sync.Mutex
	jumps map[string]*jump
}

// jump is a connection to a jump host that several others go through.
type jump struct {
	ready  chan struct{}
	client *ssh.Client
	err    error
	users  int
}

// via logs in to a jump host, or waits for whoever is doing that already.
// release must be called when the client is needed no longer.
func (r *route) via(ctx context.Context, hop *endpoint, chain []string) (client *ssh.Client, release func(), err error) {
	key := fmt.Sprintf("%q", []any{hop.alias, hop.address(), hop.user, hop.jumps, hop.proxyCommand, hop.keyFiles, hop.knownHosts, hop.policy})
	if slices.Contains(chain, key) {
		return nil, nil, unreachable("the jump hosts of %s go round in a circle", hop.alias).WithHint("look at ProxyJump in the ssh configuration")
	}
	sh := r.shared
	sh.mu.Lock()
	j := sh.jumps[key]
	if j == nil {
		j = &jump{ready: make(chan struct{})}
		if sh.jumps == nil {
			sh.jumps = map[string]*jump{}
		}
		sh.jumps[key] = j
		go func() {
			// Others may wait for it too, so it outlives the first caller. The
			// target's password is not for the hops.
			j.client, j.err = r.reach(context.WithoutCancel(ctx), hop, "", append(slices.Clone(chain), key))
			if j.err == nil {
				go func() {
					j.client.Wait()
					sh.forget(key, j)
				}()
			} else {
				sh.forget(key, j)
			}
			close(j.ready)
		}()
	}
	j.users++
	sh.mu.Unlock()
	release = sync.OnceFunc(func() { sh.release(key, j) })
	select {
	case <-j.ready:
	case <-ctx.Done():
		release()
		return nil, nil, unreachable("cancelled").Because(ctx.Err())
	}
	if j.err != nil {
		return nil, nil, fault.Wrap(j.err, "jump host %s (%s@%s)", hop.alias, hop.user, hop.address())
	}
	return j.client, release, nil
}

// forget makes sure that nobody new uses j.
func (d *Dialer) forget(key string, j *jump) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.jumps[key] == j {
		delete(d.jumps, key)
	}
}

// release ends a jump connection with its last user.
func (d *Dialer) release(key string, j *jump) {
	d.mu.Lock()
	j.users--
	last := j.users == 0
	if last && d.jumps[key] == j {
		delete(d.jumps, key)
	}
	d.mu.Unlock()
	if last {
		go func() {
			<-j.ready
			if j.client != nil {
				j.client.Close()
			}
		}()
	}
}

// tunnel is a connection through a jump host.
type tunnel struct {
	net.Conn
	release func()
}

func (t *tunnel) Close() error {
	err := t.Conn.Close()
	t.release()
	return err
}
