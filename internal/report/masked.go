package report

import (
	"mageprov/internal/secret"
	"mageprov/internal/wire"
)

// Masked gives e without the secrets of k. e itself, and what it points to, is
// not changed.
func (e Event) Masked(k *secret.Keeper) Event {
	if k.Empty() {
		return e
	}
	for _, s := range []*string{&e.Name, &e.Label, &e.Msg, &e.Hint, &e.Text} {
		*s = k.Text(*s)
	}
	changes := e.Changes
	e.Changes = make([]wire.Change, len(changes))
	for i, c := range changes {
		c.What, c.Before, c.After = k.Text(c.What), k.Text(c.Before), k.Text(c.After)
		c.BeforeName, c.AfterName = k.Text(c.BeforeName), k.Text(c.AfterName)
		e.Changes[i] = c
	}
	if e.Result != nil {
		e.Result, _ = k.Value(e.Result).(map[string]any)
	}
	return e
}
