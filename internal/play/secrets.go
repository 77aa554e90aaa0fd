package play

import "context"

// The variables that hold passwords of connections, strongest first.
var (
	loginPasswords  = []string{"ansible_password", "ansible_ssh_pass", "ansible_ssh_password"}
	becomePasswords = []string{"ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"}
)

// hide has a password masked in all that is reported from now on. One that is
// its user's name would hide that name everywhere, and is no secret.
func (r *Run) hide(password, user string) {
	if password != user {
		r.secrets.Add(password)
	}
}

// hidePasswords hides those that variables hold as they are, before any task
// can show them. One that is a template is hidden when it is used.
func (b *batch) hidePasswords(ctx context.Context) {
	login := b.run.o.Connection
	b.run.hide(login.Password, login.User)
	b.run.hide(login.BecomePassword, login.BecomeUser)
	for _, h := range b.hosts {
		st := b.stack(h, b.root(), nil)
		user, _, _ := st.Lookup(ctx, "ansible_user")
		name, _ := user.(string)
		for _, names := range [][]string{loginPasswords, becomePasswords} {
			for _, n := range names {
				if v, ok, err := st.Lookup(ctx, n); ok && err == nil {
					text, _ := v.(string)
					b.run.hide(text, name)
				}
			}
		}
	}
}
