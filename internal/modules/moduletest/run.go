package moduletest

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/node/nodetest"
)

// uploads is where the controller's files are put, below the root.
const uploads = "/.uploads"

// Host is a place where cases run. A new one is made for every case.
type Host interface {
	// Root is what $ROOT stands for: "" where the tree is the whole machine.
	Root() string
	// Files reads and prepares the tree, past the module.
	Files() node.Writer
	// Run runs the node's part of a module. A check must go to an overlay that
	// begins anew with every call of NewCheck.
	Run(ctx context.Context, name string, args module.Args, check bool) *module.Result
	NewCheck()
}

// Run runs every portable case of dir on hosts that newHost makes.
func Run(t *testing.T, dir string, newHost func(t *testing.T) Host) {
	for _, c := range Load(t, dir) {
		if c.Portable() {
			t.Run(c.name, func(t *testing.T) { c.run(t, newHost(t), nil) })
		}
	}
}

// RunDouble runs every case of dir on the double, one subtest each.
func RunDouble(t *testing.T, dir string) {
	for _, c := range Load(t, dir) {
		t.Run(c.name, func(t *testing.T) {
			n := nodetest.New(t, doubles(c.Commands)...)
			n.Programs = c.Programs
			n.SetUID(c.UID)
			c.run(t, &double{Node: n}, n)
		})
	}
}

// run is the life of a case: check, run, run again.
func (c *Case) run(t *testing.T, h Host, n *nodetest.Node) {
	tree, err := c.start()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/etc", "/tmp"} { // as on every machine
		makeDirs(t, h.Files(), h.Root()+dir)
	}
	WriteTree(t, h.Files(), h.Root(), tree)
	start := ReadTree(t, h.Files(), h.Root())

	written := 0
	if n != nil {
		written = len(n.Writes())
	}
	h.NewCheck()
	checked := c.execute(t, h, true)
	if n != nil {
		if w := n.Writes()[written:]; len(w) > 0 {
			t.Errorf("check wrote: %q", w)
		}
		n.Expect(doubles(c.Commands)...)
	}
	if now := ReadTree(t, h.Files(), h.Root()); !reflect.DeepEqual(start, now) {
		t.Errorf("check changed the tree: %v", diffTrees(start, now))
	}
	var would Tree
	if d, ok := h.(*double); ok && !checked.Failed {
		would = ReadTree(t, d.overlay, "")
	}

	ran := c.execute(t, h, false)
	c.compareCheck(t, checked, ran)
	end := ReadTree(t, h.Files(), h.Root())
	if would != nil && c.Check == "" && !c.commandsWrite() {
		if bad := diffTrees(would, end); len(bad) > 0 {
			t.Errorf("check would have left another tree than the run did: %v", bad)
		}
	}
	c.compareResult(t, ran, h.Root())
	for _, bad := range c.compareTree(end, h.Root()) {
		t.Error(bad)
	}
	if n != nil {
		c.unused(t, n)
		if c.Again != nil {
			n.Expect(doubles(c.Again)...)
		} else {
			n.Expect(doubles(c.Commands)...)
		}
	}
	if ran.Failed || ran.Skipped {
		return
	}
	again := c.execute(t, h, false)
	if again.Failed {
		t.Errorf("the second run fails: %s", again.Msg)
	}
	if again.Changed != (c.Second != "" && ran.Changed) {
		t.Errorf("the second run gives changed=%v: %v", again.Changed, whats(again))
	}
}

func (c *Case) commandsWrite() bool {
	return slices.ContainsFunc(c.Commands, func(c Command) bool { return len(c.Files) > 0 })
}

func (c *Case) unused(t *testing.T, n *nodetest.Node) {
	for _, line := range n.Unused() {
		optional := slices.ContainsFunc(c.Commands, func(c Command) bool {
			return c.Optional && strings.Join(append(c.Query, c.Run...), " ") == line
		})
		if !optional {
			t.Errorf("command never came: %s", line)
		}
	}
}

// execute runs the task once, its controller part included.
func (c *Case) execute(t *testing.T, h Host, check bool) *module.Result {
	t.Helper()
	spec, ok := module.Lookup(c.module)
	if !ok {
		t.Fatalf("module %s is not registered", c.module)
	}
	args := module.Args(expand(map[string]any(c.Task[c.module]), h.Root()).(map[string]any))
	if spec.Action == nil {
		return normal(t, h.Run(t.Context(), spec.Name, args, check))
	}
	res, err := spec.Action(t.Context(), &controller{t: t, c: c, h: h, check: check}, args)
	if err != nil {
		res = &module.Result{Failed: true, Msg: err.Error(), Return: map[string]any{}}
	}
	return normal(t, res)
}

// normal gives the return values the types they have after the wire.
func normal(t *testing.T, r *module.Result) *module.Result {
	t.Helper()
	b, err := json.Marshal(r.Return)
	if err != nil {
		t.Fatalf("return values: %v", err)
	}
	r.Return = nil
	if err := json.Unmarshal(b, &r.Return); err != nil {
		t.Fatal(err)
	}
	return r
}

func whats(r *module.Result) []string {
	var out []string
	for _, c := range r.Changes {
		out = append(out, c.What)
	}
	return out
}

// compareCheck holds the promise that check announces what the run does.
func (c *Case) compareCheck(t *testing.T, checked, ran *module.Result) {
	t.Helper()
	if c.Check != "" {
		if checked.Failed && !ran.Failed {
			t.Errorf("check fails: %s", checked.Msg)
		}
		return
	}
	if checked.Failed != ran.Failed || checked.Skipped != ran.Skipped {
		t.Errorf("check: failed=%v skipped=%v %s; run: failed=%v skipped=%v %s",
			checked.Failed, checked.Skipped, checked.Msg, ran.Failed, ran.Skipped, ran.Msg)
	}
	if checked.Changed != ran.Changed {
		t.Errorf("check: changed=%v, run: changed=%v", checked.Changed, ran.Changed)
	}
	if a, b := whats(checked), whats(ran); !slices.Equal(a, b) && !ran.Failed {
		t.Errorf("check announces %q, run does %q", a, b)
	}
}

func (c *Case) compareResult(t *testing.T, r *module.Result, root string) {
	t.Helper()
	switch {
	case c.Error != "":
		if !r.Failed || !strings.Contains(r.Msg, strings.ReplaceAll(c.Error, "$ROOT", root)) {
			t.Errorf("failed=%v with %q, want an error with %q", r.Failed, r.Msg, c.Error)
		}
	case r.Failed:
		t.Errorf("failed: %s", r.Msg)
	case c.Skipped != "":
		if !r.Skipped || !strings.Contains(r.Msg, strings.ReplaceAll(c.Skipped, "$ROOT", root)) {
			t.Errorf("skipped=%v with %q, want %q", r.Skipped, r.Msg, c.Skipped)
		}
	case r.Skipped:
		t.Errorf("skipped: %s", r.Msg)
	default:
		if want := c.Changed == nil || *c.Changed; r.Changed != want {
			t.Errorf("changed=%v, want %v: %q", r.Changed, want, whats(r))
		}
	}
	if c.What != nil {
		want := make([]string, len(c.What))
		for i, w := range c.What {
			want[i] = strings.ReplaceAll(w, "$ROOT", root)
		}
		if got := whats(r); !slices.Equal(got, want) {
			t.Errorf("changes %q, want %q", got, want)
		}
	}
	want, _ := json.Marshal(expand(map[string]any(c.Return), root))
	var w map[string]any
	json.Unmarshal(want, &w)
	for k, v := range w {
		got, ok := r.Return[k]
		if v == nil && (!ok || got == nil) {
			continue
		}
		if bad := differs(got, v); bad != "" || !ok {
			t.Errorf("return %s: %s", k, bad)
		}
	}
	c.compareDiff(t, r, root)
}

func (c *Case) compareDiff(t *testing.T, r *module.Result, root string) {
	if c.Diff == nil {
		return
	}
	for _, ch := range r.Changes {
		if ch.Before == strings.ReplaceAll(c.Diff.Before, "$ROOT", root) && ch.After == strings.ReplaceAll(c.Diff.After, "$ROOT", root) {
			return
		}
	}
	t.Errorf("diff of the changes %+v, want before\n%s\nafter\n%s", r.Changes, c.Diff.Before, c.Diff.After)
}

// differs says how got is not what is wanted: dictionaries are compared as
// subsets, text that begins with ~ is a pattern.
func differs(got, want any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%#v is no dictionary", got)
		}
		for k, v := range w {
			if bad := differs(g[k], v); bad != "" {
				return k + ": " + bad
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%#v, want %#v", got, want)
		}
		for i := range w {
			if bad := differs(g[i], w[i]); bad != "" {
				return fmt.Sprintf("[%d]: %s", i, bad)
			}
		}
		return ""
	case string:
		if p, ok := strings.CutPrefix(w, "~"); ok {
			if g, isText := got.(string); isText && regexp.MustCompile(p).MatchString(g) {
				return ""
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("%#v, want %#v", got, want)
	}
	return ""
}

func diffTrees(a, b Tree) []string {
	var out []string
	for p, f := range a {
		if g, ok := b[p]; !ok {
			out = append(out, "without "+p)
		} else if f != g {
			out = append(out, fmt.Sprintf("%s: %s %q, then %s %q", p, f.describe(), f.Content, g.describe(), g.Content))
		}
	}
	for p, g := range b {
		if _, ok := a[p]; !ok {
			out = append(out, "with "+p+" "+g.describe())
		}
	}
	slices.Sort(out)
	return out
}

// double is the Host over a nodetest.Node.
type double struct {
	*nodetest.Node
	overlay *node.Overlay
}

func (d *double) Root() string       { return "" }
func (d *double) Files() node.Writer { return d.Node.Local }
func (d *double) NewCheck()          { d.overlay = node.NewOverlay(d.Node) }

func (d *double) Run(ctx context.Context, name string, args module.Args, check bool) *module.Result {
	if check {
		return RunOn(ctx, d.overlay, name, args)
	}
	return RunOn(ctx, d.Node, name, args)
}

// RunOn decodes the arguments as a worker does and runs the module on n.
func RunOn(ctx context.Context, n node.Writer, name string, args module.Args) *module.Result {
	fail := func(err error) *module.Result {
		return &module.Result{Failed: true, Msg: err.Error(), Return: map[string]any{}}
	}
	spec, ok := module.Lookup(name)
	if !ok {
		return fail(fmt.Errorf("module %s is not registered", name))
	}
	m, ok := spec.New().(module.Module)
	if !ok {
		return fail(fmt.Errorf("module %s has no part on the node", name))
	}
	if err := module.Decode(m, args); err != nil {
		return fail(err)
	}
	return module.Run(ctx, m, n, true)
}
