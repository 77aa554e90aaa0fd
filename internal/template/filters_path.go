package template

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"mageprov/internal/jinja"
)

// pathFilters work on path names as text; realpath, expanduser and expandvars
// look at the controller, as in Ansible.
var pathFilters = map[string]jinja.Filter{
	"basename":     onName(baseName),
	"dirname":      onName(dirName),
	"expanduser":   onName(expandUser),
	"expandvars":   expandVars,
	"realpath":     onName(realPath),
	"relpath":      relPath,
	"splitext":     func(_ *jinja.Call, in any) (any, error) { return splitExt(jinja.Str(in)), nil },
	"normpath":     onName(normPath),
	"path_join":    pathJoin,
	"commonpath":   commonPath,
	"win_basename": onName(func(s string) string { _, p := winDrive(s); return p[lastSep(p)+1:] }),
	"win_dirname":  onName(winDirName),
	"win_splitdrive": func(_ *jinja.Call, in any) (any, error) {
		d, p := winDrive(jinja.Str(in))
		return jinja.Tuple{d, p}, nil
	},
	"fileglob": fileGlob,
}

// onText makes a filter without arguments of a function on text.
func onText(f func(string) string) jinja.Filter {
	return func(c *jinja.Call, in any) (any, error) {
		if a := take(c); a.err != nil {
			return nil, a.err
		}
		return f(jinja.Str(in)), nil
	}
}

// onName is onText for names of files, where a number or None is a mistake.
func onName(f func(string) string) jinja.Filter {
	return func(c *jinja.Call, in any) (any, error) {
		if _, ok := in.(string); !ok {
			return nil, refuse(c, "needs the name of a file, not %s", jinja.TypeName(in))
		}
		return onText(f)(c, in)
	}
}

func baseName(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// dirName is Python's: "" for a bare name, "/a" for "/a/".
func dirName(p string) string {
	head := p[:strings.LastIndexByte(p, '/')+1]
	if t := strings.TrimRight(head, "/"); t != "" {
		return t
	}
	return head
}

func expandUser(p string) string {
	if !strings.HasPrefix(p, "~") {
		return p
	}
	name, rest, _ := strings.Cut(p[1:], "/")
	if rest != "" || strings.HasSuffix(p, "/") {
		rest = "/" + rest
	}
	home := ""
	if name == "" {
		home, _ = os.UserHomeDir()
	} else if u, err := user.Lookup(name); err == nil {
		home = u.HomeDir
	}
	if home == "" {
		return p
	}
	return strings.TrimRight(home, "/") + rest
}

// expandVars replaces $NAME and ${NAME}; unknown names stay as they are.
func expandVars(c *jinja.Call, in any) (any, error) {
	env := os.LookupEnv
	if s, err := scopeOf(c); err == nil {
		env = s.engine.opts.Env
	}
	p := jinja.Str(in)
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] != '$' {
			b.WriteByte(p[i])
			continue
		}
		name, end := "", i
		if i+1 < len(p) && p[i+1] == '{' {
			if j := strings.IndexByte(p[i:], '}'); j > 0 {
				name, end = p[i+2:i+j], i+j
			}
		} else {
			for end+1 < len(p) && isWordByte(p[end+1]) {
				end++
			}
			name = p[i+1 : end+1]
		}
		v, ok := env(name)
		if name == "" || !ok {
			b.WriteByte('$')
			continue
		}
		b.WriteString(v)
		i = end
	}
	return b.String(), nil
}

func isWordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// realPath resolves symbolic links as far as the path exists.
func realPath(p string) string {
	abs, err := filepath.Abs(p)
	if err != nil {
		return p
	}
	rest := ""
	for head := abs; ; {
		if r, err := filepath.EvalSymlinks(head); err == nil {
			return filepath.Join(r, rest)
		}
		if head == "/" {
			return abs
		}
		rest = filepath.Join(filepath.Base(head), rest)
		head = filepath.Dir(head)
	}
}

func relPath(c *jinja.Call, in any) (any, error) {
	a := take(c, "start")
	start := a.str("start", ".")
	if a.err != nil {
		return nil, a.err
	}
	from, err := filepath.Abs(start)
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	to, err := filepath.Abs(jinja.Str(in))
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	r, err := filepath.Rel(from, to)
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	return r, nil
}

// splitExt leaves leading dots in the root: ".bashrc" has no extension.
func splitExt(p string) jinja.Tuple {
	slash, dot := strings.LastIndexByte(p, '/'), strings.LastIndexByte(p, '.')
	if dot > slash && strings.Trim(p[slash+1:dot], ".") != "" {
		return jinja.Tuple{p[:dot], p[dot:]}
	}
	return jinja.Tuple{p, ""}
}

func normPath(p string) string {
	if p == "" {
		return "."
	}
	n := filepath.Clean(p)
	if strings.HasPrefix(p, "//") && !strings.HasPrefix(p, "///") {
		return "/" + n
	}
	return n
}

func pathJoin(c *jinja.Call, in any) (any, error) {
	if s, ok := in.(string); ok {
		return s, nil
	}
	parts, err := elements(c, in)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, refuse(c, "needs at least one part")
	}
	out := ""
	for _, x := range parts {
		p := jinja.Str(x)
		switch {
		case strings.HasPrefix(p, "/"), out == "":
			out = p
		case strings.HasSuffix(out, "/"):
			out += p
		default:
			out += "/" + p
		}
	}
	return out, nil
}

func commonPath(c *jinja.Call, in any) (any, error) {
	paths, err := elements(c, in)
	if err != nil {
		return nil, err
	}
	var shared []string
	absolute := false
	for i, x := range paths {
		p := jinja.Str(x)
		var parts []string
		for _, part := range strings.Split(p, "/") {
			if part != "" && part != "." {
				parts = append(parts, part)
			}
		}
		if i == 0 {
			shared, absolute = parts, strings.HasPrefix(p, "/")
			continue
		}
		if absolute != strings.HasPrefix(p, "/") {
			return nil, refuse(c, "cannot mix absolute and relative paths")
		}
		n := 0
		for n < len(parts) && n < len(shared) && parts[n] == shared[n] {
			n++
		}
		shared = shared[:n]
	}
	out := strings.Join(shared, "/")
	if absolute {
		out = "/" + out
	}
	return out, nil
}

func winDrive(p string) (drive, rest string) {
	if len(p) >= 2 && p[1] == ':' {
		return p[:2], p[2:]
	}
	if len(p) > 2 && isSep(p[0]) && isSep(p[1]) && !isSep(p[2]) {
		i := strings.IndexAny(p[2:], `\/`)
		if i < 0 {
			return "", p
		}
		j := strings.IndexAny(p[3+i:], `\/`)
		if j < 0 {
			return p, ""
		}
		return p[:3+i+j], p[3+i+j:]
	}
	return "", p
}

func isSep(b byte) bool { return b == '\\' || b == '/' }

func lastSep(p string) int { return strings.LastIndexAny(p, `\/`) }

func winDirName(p string) string {
	drive, rest := winDrive(p)
	head := rest[:lastSep(rest)+1]
	if t := strings.TrimRight(head, `\/`); t != "" {
		head = t
	}
	return drive + head
}

func fileGlob(c *jinja.Call, in any) (any, error) {
	s, err := scopeOf(c)
	if err != nil {
		return nil, err
	}
	names, err := s.glob(jinja.Str(in))
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	return textList(names), nil
}

func textList(names []string) *jinja.List {
	out := &jinja.List{Items: make([]any, len(names))}
	for i, n := range names {
		out.Items[i] = n
	}
	return out
}
