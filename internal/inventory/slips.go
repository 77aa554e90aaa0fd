package inventory

import (
	"fmt"
	"slices"
	"strings"

	"mageprov/internal/fault"
)

// settings are the variables without ansible_ that say how to reach a host,
// those of Ansible that mean nothing here among them.
var settings = strings.Fields(`become become_exe become_flags become_method become_pass become_password become_user
	connection facts group_priority host host_key_checking managed password pipelining port private_key_file python_interpreter
	remote_tmp shell_executable shell_type ssh_args ssh_common_args ssh_executable ssh_extra_args ssh_host ssh_host_key_checking
	ssh_pass ssh_password ssh_pipelining ssh_port ssh_private_key_file ssh_retries ssh_timeout ssh_transfer_method ssh_user
	sudo sudo_pass sudo_user timeout user`)

// findSlips warns of variables that are almost one of them: ansible_hots is a
// variable like any other, and the host is looked for under the wrong address.
func (inv *Inventory) findSlips() {
	look := func(list []fileVars) {
		for _, f := range list {
			for _, k := range f.vars.Keys() {
				name, ok := k.(string)
				short, prefixed := strings.CutPrefix(name, "ansible_")
				if !ok || !prefixed || slices.Contains(settings, short) {
					continue
				}
				if near := fault.Nearest(short, settings); near != "" {
					inv.Warnings = append(inv.Warnings, fmt.Sprintf("%s: nothing reads %s; did you mean ansible_%s?", f.place(name), name, near))
				}
			}
		}
	}
	for _, g := range inv.order {
		look(g.vars)
	}
	for _, h := range inv.hostOrder {
		look(h.vars)
	}
	names := make([]string, 0, len(inv.varFiles))
	for n := range inv.varFiles {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		look(inv.varFiles[n])
	}
}

// place is where a variable is named, as far as it is known.
func (f fileVars) place(name string) fault.Place {
	if p, ok := f.places[name]; ok {
		return p
	}
	if f.node != nil {
		for _, p := range f.node.Pairs {
			if p.Key == name {
				return p.KeyPlace
			}
		}
	}
	return fault.Place{File: f.file}
}
