// Package dataedit is the module edit_data, which sets values in YAML, JSON and
// TOML files. It works on the controller, apart from the other modules, because
// the worker must not grow by libraries for these formats.
package dataedit

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"path"
	"strings"

	"gopkg.in/yaml.v3"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/modules"
)

func init() {
	module.Register(module.Spec{
		Name: "mageprov.builtin.edit_data", Action: action,
		New: func() any { return &editData{State: "present", Separator: "."} },
	})
}

// editData is what stands at some places of a structured file.
type editData struct {
	modules.FileArgs
	Path      string           `arg:"path,required" alias:"dest,src"`
	Format    string           `arg:"format" choices:"yaml,json,toml"`
	Key       any              `arg:"key"`
	Value     any              `arg:"value"`
	State     string           `arg:"state" choices:"absent,present"`
	Edits     []map[string]any `arg:"edits"`
	Separator string           `arg:"separator"`
	Create    bool             `arg:"create"`
	Backup    bool             `arg:"backup"`
	Validator string           `arg:"validate"`
}

// edit is one place and what is wanted there.
type edit struct {
	key    []string
	value  *yaml.Node
	absent bool
}

// Validate refuses what cannot go together.
func (m *editData) Validate() error {
	if (m.Key == nil) == (len(m.Edits) == 0) {
		return fault.New("exactly one of key and edits is needed")
	}
	if m.Separator == "" {
		return fault.New("separator is empty")
	}
	if m.format() == "" {
		return fault.New("the format of %s is not known by its name", m.Path).WithHint("format is yaml, json or toml")
	}
	_, err := m.edits()
	return err
}

func (m *editData) format() string {
	if m.Format != "" {
		return m.Format
	}
	switch path.Ext(m.Path) {
	case ".yml", ".yaml":
		return "yaml"
	case ".json":
		return "json"
	case ".toml":
		return "toml"
	}
	return ""
}

// edits reads key and value, or the list of such.
func (m *editData) edits() ([]edit, error) {
	list := m.Edits
	if m.Key != nil {
		list = []map[string]any{{"key": m.Key, "value": m.Value, "state": m.State}}
	}
	var out []edit
	for _, e := range list {
		one := edit{absent: m.State == "absent"}
		for name, v := range e {
			switch name {
			case "key":
				one.key = m.keyPath(v)
			case "state":
				if v != "present" && v != "absent" {
					return nil, fault.New("edits: state is present or absent, not %v", v)
				}
				one.absent = v == "absent"
			case "value":
			default:
				return nil, fault.New("edits: unknown key %q", name).WithHint("each edit has key, value and state")
			}
		}
		if len(one.key) == 0 {
			return nil, fault.New("an edit has no key")
		}
		var err error
		if one.value, err = m.tree(e["value"]); err != nil {
			return nil, fmt.Errorf("value of %s: %w", strings.Join(one.key, m.Separator), err)
		}
		out = append(out, one)
	}
	return out, nil
}

// tree makes the tree of a value that is wanted.
func (m *editData) tree(v any) (*yaml.Node, error) {
	if m.format() == "toml" {
		return tomlNode(v)
	}
	n := new(yaml.Node)
	return n, n.Encode(v)
}

// keyPath splits a key; a list is taken as it is, for keys that hold the separator.
func (m *editData) keyPath(v any) []string {
	list, ok := v.([]any)
	if !ok {
		text := module.Text(v)
		if text == "" {
			return nil
		}
		return strings.Split(text, m.Separator)
	}
	var out []string
	for _, part := range list {
		out = append(out, module.Text(part))
	}
	return out
}

// action reads the file, edits it, and lets copy put it in place.
func action(ctx context.Context, c module.Controller, args module.Args) (*module.Result, error) {
	m := &editData{State: "present", Separator: "."}
	if err := module.Decode(m, args); err != nil {
		return nil, err
	}
	edits, err := m.edits()
	if err != nil {
		return nil, err
	}
	before, res, err := m.read(ctx, c)
	if err != nil || res != nil {
		return res, err
	}
	after, err := apply(m.format(), before, edits)
	if err != nil {
		return nil, fault.Wrap(err, "%s", m.Path)
	}
	rest := maps.Clone(args)
	for _, name := range []string{"path", "src", "format", "key", "value", "state", "edits", "separator", "create"} {
		delete(rest, name)
	}
	rest["dest"] = m.Path
	rest["_data"] = base64.StdEncoding.EncodeToString([]byte(after))
	return c.Run(ctx, "ansible.builtin.copy", rest)
}

// read gives the file's text. A result that is not nil ends the task.
func (m *editData) read(ctx context.Context, c module.Controller) (string, *module.Result, error) {
	res, err := c.Run(ctx, "ansible.builtin.slurp", module.Args{"src": m.Path})
	if err != nil {
		return "", nil, err
	}
	if res.Failed && m.Create && strings.HasPrefix(res.Msg, "file not found") {
		return "", nil, nil
	}
	if res.Failed && res.Hint == "" && strings.HasPrefix(res.Msg, "file not found") {
		res.Hint = "create: true makes it"
	}
	if res.Failed || res.Skipped {
		return "", res, nil
	}
	text, _ := res.Return["content"].(string)
	b, err := base64.StdEncoding.DecodeString(text)
	return string(b), nil, err
}
