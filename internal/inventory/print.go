package inventory

import "io"

// PrintGraph is Graph from all down.
func (inv *Inventory) PrintGraph(w io.Writer, vars bool) error { return inv.Graph(w, "", vars) }

// PrintList is List; limit, where it is not "", is a pattern that hosts must match.
func (inv *Inventory) PrintList(w io.Writer, limit string) error { return inv.list(w, limit) }

// PrintHost is HostJSON.
func (inv *Inventory) PrintHost(w io.Writer, host string) error { return inv.HostJSON(w, host) }
