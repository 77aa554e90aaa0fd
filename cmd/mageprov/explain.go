package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mageprov/internal/explain"
	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

func newExplain(s streams) *cobra.Command {
	f := &runFlags{}
	var host string
	var show bool
	c := &cobra.Command{
		Use:   "explain VARIABLE --host HOST -i INVENTORY [PLAYBOOK...]",
		Short: "Show every layer that sets a variable, and which one wins",
		Long: "Layers are listed from the weakest to the strongest with their number in Ansible's order of 22.\n" +
			"Without a playbook only the inventory and -e are looked at. What tasks set (register, set_fact,\n" +
			"include_vars, vars of tasks and blocks) is listed with the task, for it holds only there or then;\n" +
			"the winner is the strongest layer that holds for the whole play. Nothing is run.",
		Example: "  mageprov explain base_packages --host gpu1 -i inventory/prod playbooks/site.yml\n" +
			"  mageprov explain ansible_user --host gpu1 -i inventory/prod",
		Args: func(_ *cobra.Command, a []string) error {
			if len(a) == 0 {
				return fault.New("explain wants the name of a variable").WithHint("for example: mageprov explain ansible_user --host web1 -i inventory/prod")
			}
			return nil
		},
		RunE: func(c *cobra.Command, a []string) error {
			if host == "" {
				return fault.New("explain wants a host").WithHint("name one with --host")
			}
			return explainVariable(c.Context(), s, f, a[0], host, a[1:], show)
		},
	}
	f.inventoryFlags(c.Flags())
	c.Flags().Lookup("limit").Hidden = true
	c.Flags().StringVar(&host, "host", "", "the `host` that sees the variable")
	c.Flags().BoolVar(&show, "show", false, "show passwords and encrypted values, too")
	c.Flags().BoolVar(&f.json, "json", false, "as JSON")
	c.Flags().StringArrayVar(&f.rolesPath, "roles-path", nil, "further `directory` to look for roles in (repeatable)")
	return c
}

func explainVariable(ctx context.Context, s streams, f *runFlags, name, host string, paths []string, show bool) error {
	w, err := newWorkshop(ctx, s, f, true)
	if err != nil {
		return err
	}
	books, err := w.playbooks(paths)
	if err != nil {
		return err
	}
	all, err := explain.For(ctx, explain.Input{Files: w.files, Inventory: w.inventory, Loader: w.loader, Books: books,
		Templates: w.templates, Extra: w.extra}, name, host)
	if err != nil {
		return err
	}
	if f.json {
		return explainJSON(ctx, s, all, show)
	}
	var b strings.Builder
	for i, e := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		explainText(ctx, &b, e, show)
	}
	_, err = fmt.Fprint(s.out, b.String())
	return err
}

const hidden = "(hidden, --show shows it)"

// shown is a value on one line, unless it is secret.
func shown(ctx context.Context, v any, secret, show bool) string {
	if show {
		if m, err := jinja.Materialize(ctx, v); err == nil && !jinja.IsTemplated(v) {
			v = m // what is encrypted is read only now
		}
	} else {
		if secret {
			return hidden
		}
		v = explain.Masked(v)
	}
	return strings.ReplaceAll(explain.Written(v), "\n", "\\n")
}

func explainText(ctx context.Context, b *strings.Builder, e *explain.Explanation, show bool) {
	fmt.Fprintf(b, "%s on %s", e.Name, e.Host)
	if e.Play != "" {
		fmt.Fprintf(b, ", play %q (%s)", e.Play, e.Place)
	}
	b.WriteString("\n")
	for i, o := range e.Origins {
		mark := " "
		if i == e.Winner {
			mark = ">"
		}
		fmt.Fprintf(b, "%s %2d  %s, %s: %s", mark, o.Level, o.Layer, o.Place, shown(ctx, o.Value, e.Secret && o.Secret || e.Secret && len(e.Reads) == 0, show))
		if o.When != "" {
			fmt.Fprintf(b, "  [%s]", o.When)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "  %s\n", verdict(ctx, e, show))
	reads(ctx, b, e, "  ", show)
}

// verdict says in one line what the variable is.
func verdict(ctx context.Context, e *explain.Explanation, show bool) string {
	switch {
	case e.Kind == "fact":
		return "a fact: the host is asked for it when it is read"
	case e.Kind == "magic" && len(e.Origins) > 0:
		return "a magic variable: the run sets it itself, so these layers have no effect"
	case e.Kind == "magic" && e.Value == nil:
		return "a magic variable: the run sets it"
	case e.Kind == "magic":
		return "a magic variable: " + shown(ctx, e.Value, e.Secret, show)
	case e.Err != nil:
		return "cannot be rendered before a run: " + e.Err.Error()
	case e.Winner < 0 && len(e.Origins) > 0:
		return "nothing sets it for the whole play"
	case e.Winner < 0:
		return "nothing sets it"
	}
	return "value: " + shown(ctx, e.Value, e.Secret, show)
}

// reads shows the variables behind the value, each with its own winner.
func reads(ctx context.Context, b *strings.Builder, e *explain.Explanation, indent string, show bool) {
	for _, r := range e.Reads {
		fmt.Fprintf(b, "%sreads %s", indent, r.Name)
		if r.Winner >= 0 {
			o := r.Origins[r.Winner]
			fmt.Fprintf(b, " (%s, %s)", o.Layer, o.Place)
		}
		fmt.Fprintf(b, ": %s\n", strings.TrimPrefix(verdict(ctx, r, show), "value: "))
		reads(ctx, b, r, indent+"  ", show)
	}
}

// The form of --json.
type (
	originJSON struct {
		Level  int    `json:"level"`
		Layer  string `json:"layer"`
		Place  string `json:"place"`
		Value  any    `json:"value"`
		When   string `json:"when,omitempty"`
		Winner bool   `json:"winner"`
	}
	explanationJSON struct {
		Variable string            `json:"variable"`
		Host     string            `json:"host"`
		Play     string            `json:"play,omitempty"`
		Kind     string            `json:"kind"`
		Layers   []originJSON      `json:"layers"`
		Value    any               `json:"value"`
		Error    string            `json:"error,omitempty"`
		Reads    []explanationJSON `json:"reads"`
	}
)

func explainJSON(ctx context.Context, s streams, all []*explain.Explanation, show bool) error {
	out := struct {
		Format       int               `json:"format"`
		Explanations []explanationJSON `json:"explanations"`
	}{Format: 1}
	for _, e := range all {
		out.Explanations = append(out.Explanations, asJSON(ctx, e, show))
	}
	enc := json.NewEncoder(s.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

func asJSON(ctx context.Context, e *explain.Explanation, show bool) explanationJSON {
	kind := e.Kind
	if kind == "" {
		kind = "variable"
	}
	j := explanationJSON{Variable: e.Name, Host: e.Host, Play: e.Play, Kind: kind, Layers: []originJSON{}, Reads: []explanationJSON{}}
	if e.Err != nil {
		j.Error = e.Err.Error()
	} else if e.Value != nil {
		j.Value = jsonValue(ctx, e.Value, e.Secret, show)
	}
	for i, o := range e.Origins {
		j.Layers = append(j.Layers, originJSON{o.Level, o.Layer, o.Place.String(), jsonValue(ctx, o.Value, e.Secret, show), o.When, i == e.Winner})
	}
	for _, r := range e.Reads {
		j.Reads = append(j.Reads, asJSON(ctx, r, show))
	}
	return j
}

func jsonValue(ctx context.Context, v any, secret, show bool) any {
	text := shown(ctx, v, secret, show)
	if !show && secret {
		return text
	}
	switch v.(type) {
	case *jinja.List, *jinja.Dict, int64, float64, bool, nil:
		if json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
	}
	return text
}
