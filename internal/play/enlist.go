package play

import (
	"mageprov/internal/jinja"
	"mageprov/internal/module"
)

// enlist does what a task asks of the run itself: add_host and group_by change
// its inventory, set_stats adds to what is shown at its end.
func (x *execution) enlist(res *module.Result) error {
	inv := x.b.run.o.Inventory
	switch x.t.Spec.Short() {
	case "add_host":
		d, ok := jinja.FromGo(res.Return["add_host"]).(*jinja.Dict)
		if !ok {
			return nil
		}
		name, _ := d.Get("host_name")
		groups, _ := d.Get("groups")
		vars, _ := d.Get("host_vars")
		hostVars, _ := vars.(*jinja.Dict)
		changed, err := inv.AddHost(jinja.Str(name), words(groups), hostVars)
		if err != nil {
			return err
		}
		res.Changed = changed
	case "set_stats":
		stats, _ := jinja.FromGo(res.Return["ansible_stats"]).(*jinja.Dict)
		x.stats = append(x.stats, stats)
		return nil
	case "group_by":
		group, ok := res.Return["add_group"].(string)
		if !ok {
			return nil
		}
		changed, err := inv.AddToGroup(x.h.name, group, words(jinja.FromGo(res.Return["parent_groups"])))
		if err != nil {
			return err
		}
		res.Changed = changed
	default:
		return nil
	}
	x.b.run.refreshInventory()
	return nil
}
