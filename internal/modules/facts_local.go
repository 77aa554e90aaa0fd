package modules

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"mageprov/internal/node"
)

// localFacts reads *.fact files: JSON or INI, printed by the file where it is
// executable. What goes wrong stands in the fact itself, as in Ansible.
func localFacts(ctx context.Context, g *gathering) {
	local := map[string]any{}
	g.facts["local"] = local
	entries, err := g.node.ReadDir(g.factPath)
	if err != nil {
		return
	}
	for _, e := range entries {
		base := path.Base(e.Path)
		name, ok := strings.CutSuffix(base, ".fact")
		if !ok {
			continue
		}
		file := path.Join(g.factPath, base)
		info, err := g.node.Stat(file)
		if err != nil || !info.IsRegular() {
			continue
		}
		local[name] = localFact(ctx, g, file, info.Mode&0o111 != 0)
	}
}

func localFact(ctx context.Context, g *gathering, file string, executable bool) any {
	var text []byte
	if executable {
		res, err := g.node.Query(ctx, node.Command{Argv: []string{file}})
		if err != nil {
			return fmt.Sprintf("Could not execute fact script (%s): %v", file, err)
		}
		if res.RC != 0 {
			return fmt.Sprintf("Failure executing fact script (%s), rc: %d, err: %s", file, res.RC, cleanText(res.Stderr))
		}
		text = res.Stdout
	} else {
		b, err := g.node.ReadFile(file)
		if err != nil {
			return fmt.Sprintf("error loading fact - %v", err)
		}
		text = b
	}
	if v, err := decodeJSON(text); err == nil {
		return v
	}
	v, err := parseINI(cleanText(text))
	if err != nil {
		return fmt.Sprintf("error loading facts as JSON or ini - please check content: %s", file)
	}
	return v
}

// decodeJSON keeps whole numbers whole.
func decodeJSON(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, fmt.Errorf("text after the value")
	}
	return plainNumbers(v), nil
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}

// parseINI reads what Python's configparser reads: sections of name = value or
// name: value, names in lower case, indented lines continuing a value.
func parseINI(text string) (map[string]any, error) {
	out := map[string]any{}
	var section map[string]any
	last := ""
	for _, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
			continue
		case trimmed[0] == '[' && strings.Contains(trimmed, "]"):
			name := trimmed[1:strings.LastIndexByte(trimmed, ']')]
			section, last = map[string]any{}, ""
			out[name] = section
			continue
		case section == nil:
			return nil, fmt.Errorf("no section before %q", trimmed)
		case (line[0] == ' ' || line[0] == '\t') && last != "":
			section[last] = section[last].(string) + "\n" + trimmed
			continue
		}
		i := strings.IndexAny(trimmed, "=:")
		if i < 1 {
			return nil, fmt.Errorf("no value in %q", trimmed)
		}
		last = strings.ToLower(strings.TrimSpace(trimmed[:i]))
		section[last] = strings.TrimSpace(trimmed[i+1:])
	}
	return out, nil
}
