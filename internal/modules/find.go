package modules

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/module"
	"mageprov/internal/node"
	"mageprov/internal/pyre"
)

func init() {
	module.Register(module.Spec{Name: "ansible.builtin.find", New: func() any {
		return &find{FileType: "file", AgeStamp: "mtime", ChecksumAlgorithm: "sha1"}
	}})
}

// find lists files.
type find struct {
	Paths             []string `arg:"paths,required" alias:"path,name"`
	Patterns          []string `arg:"patterns" alias:"pattern"`
	Excludes          []string `arg:"excludes" alias:"exclude"`
	Contains          string   `arg:"contains"`
	ReadWholeFile     bool     `arg:"read_whole_file"`
	FileType          string   `arg:"file_type" choices:"any,directory,file,link"`
	Recurse           bool     `arg:"recurse"`
	Depth             *int     `arg:"depth"`
	Size              string   `arg:"size"`
	Age               string   `arg:"age"`
	AgeStamp          string   `arg:"age_stamp" choices:"atime,ctime,mtime"`
	Hidden            bool     `arg:"hidden"`
	Mode              string   `arg:"mode"`
	ExactMode         *bool    `arg:"exact_mode"`
	Follow            bool     `arg:"follow"`
	GetChecksum       bool     `arg:"get_checksum"`
	ChecksumAlgorithm string   `arg:"checksum_algorithm" alias:"checksum,checksum_algo" choices:"md5,sha1,sha224,sha256,sha384,sha512"`
	UseRegex          bool     `arg:"use_regex"`
	Limit             int      `arg:"limit"`
}

// finder is a search under way.
type finder struct {
	*find
	n                  node.Reader
	patterns, excludes []func(name string) (bool, error)
	contains           *pyre.Regexp
	age, size          *int64
	mode               uint32
	files              []any
	examined           int
	skipped            map[string]any
}

// errLimit ends a search that has found enough.
var errLimit = errors.New("limit reached")

// Check does all of it: find changes nothing.
func (f *find) Check(ctx context.Context, n node.Reader) (module.Plan, error) {
	s := &finder{find: f, n: n, skipped: map[string]any{}, files: []any{}}
	if err := s.prepare(); err != nil {
		return module.Plan{}, err
	}
	var warnings []any
	for _, p := range f.Paths {
		p = expandWord(n, p)
		i, err := statOrNil(n, p)
		switch {
		case err == nil && (i == nil || !i.IsDir()):
			err = fmt.Errorf("'%s' is not a directory", p)
		case err == nil:
			err = s.walk(ctx, p, 1)
		}
		if errors.Is(err, errLimit) {
			break
		}
		if ctx.Err() != nil {
			return module.Plan{}, ctx.Err()
		}
		if err != nil {
			s.skipped[p] = err.Error()
			warnings = append(warnings, fmt.Sprintf("Skipped '%s' path due to this access issue: %v", p, err))
		}
	}
	ret := map[string]any{
		"files": s.files, "matched": int64(len(s.files)), "examined": int64(s.examined),
		"skipped_paths": s.skipped, "msg": "All paths examined",
	}
	if len(warnings) > 0 {
		ret["msg"], ret["warnings"] = "Not all paths examined, check warnings for details", warnings
	}
	return module.Plan{Return: ret}, nil
}

// prepare reads the patterns and units.
func (s *finder) prepare() error {
	var err error
	patterns := s.Patterns
	if len(patterns) == 0 {
		patterns = nil
	}
	if s.patterns, err = s.matchers(patterns); err != nil {
		return err
	}
	if s.excludes, err = s.matchers(s.Excludes); err != nil {
		return err
	}
	if s.Contains != "" {
		flags := pyre.Flags(0)
		if s.ReadWholeFile {
			flags = pyre.Multiline
		}
		if s.contains, err = pyre.Compile(s.Contains, flags); err != nil {
			return err
		}
		if !s.ReadWholeFile {
			s.contains = s.contains.Anchored()
		}
	}
	if s.age, err = quantity(s.Age, ageUnits); err != nil {
		return fault.New("age: %v", err)
	}
	if s.size, err = quantity(s.Size, sizeUnits); err != nil {
		return fault.New("size: %v", err)
	}
	if s.Mode != "" {
		if s.mode, err = applyMode(module.Mode(s.Mode), 0, false, 0); err != nil {
			return err
		}
	}
	return nil
}

func (s *finder) matchers(patterns []string) ([]func(string) (bool, error), error) {
	var out []func(string) (bool, error)
	for _, p := range patterns {
		if !s.UseRegex {
			p = globToRegexp(p)
		}
		re, err := pyre.Compile(p, 0)
		if err != nil {
			return nil, err
		}
		re = re.Anchored()
		out = append(out, func(name string) (bool, error) {
			m, err := re.Match(name)
			return m != nil, err
		})
	}
	return out, nil
}

// globToRegexp is fnmatch: a star also matches slashes, a set may begin with !.
func globToRegexp(glob string) string {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			end := strings.IndexByte(glob[min(i+2, len(glob)):], ']')
			if end < 0 {
				b.WriteString(`\[`)
				continue
			}
			set := glob[i+1 : i+2+end]
			if strings.HasPrefix(set, "!") {
				set = "^" + set[1:]
			} else if strings.HasPrefix(set, "^") {
				set = `\` + set
			}
			b.WriteString("[" + strings.ReplaceAll(set, `\`, `\\`) + "]")
			i += 2 + end
		default:
			b.WriteString(pyre.Escape(string(c)))
		}
	}
	return "(?s:" + b.String() + `)\Z`
}

var (
	ageUnits  = map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 604800}
	sizeUnits = map[byte]int64{'b': 1, 'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30, 't': 1 << 40}
)

// quantity reads "-2w" or "10m"; a negative one means at most.
func quantity(s string, units map[byte]int64) (*int64, error) {
	if s == "" {
		return nil, nil
	}
	num, unit := strings.ToLower(s), int64(1)
	if u, ok := units[num[len(num)-1]]; ok {
		num, unit = num[:len(num)-1], u
	}
	v, err := strconv.ParseInt(num, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%q is not a number with a unit", s)
	}
	v *= unit
	return &v, nil
}

// walk examines a directory. depth counts from 1.
func (s *finder) walk(ctx context.Context, dir string, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	infos, err := s.n.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, i := range infos {
		name := path.Base(i.Path)
		s.examined++
		isDir := i.IsDir()
		if i.IsLink() && s.Follow {
			if t, err := s.n.Stat(i.Path); err == nil {
				isDir = t.IsDir()
				if !isDir || s.FileType != "link" {
					t.Path = i.Path
					i = t
				}
			}
		}
		// A hidden directory is left out; what lies in it has names of its own.
		if s.Hidden || !strings.HasPrefix(name, ".") {
			if err := s.examine(i, name); err != nil {
				return err
			}
		}
		if isDir && s.Recurse && (s.Depth == nil || depth < *s.Depth) && depth < 200 {
			if err := s.walk(ctx, i.Path, depth+1); errors.Is(err, errLimit) || ctx.Err() != nil {
				return err
			} else if err != nil {
				s.skipped[i.Path] = err.Error()
			}
		}
	}
	return nil
}

// examine takes a file that meets all conditions.
func (s *finder) examine(i node.Info, name string) error {
	switch s.FileType {
	case "file":
		if !i.IsRegular() {
			return nil
		}
	case "directory":
		if !i.IsDir() {
			return nil
		}
	case "link":
		if !i.IsLink() {
			return nil
		}
	}
	if ok, err := s.named(name); err != nil || !ok {
		return err
	}
	if !s.old(i) || !s.sized(i) || !s.moded(i) {
		return nil
	}
	if s.FileType == "file" && s.contains != nil {
		if ok, err := s.hasText(i.Path); err != nil || !ok {
			return err
		}
	}
	st := statValues(i)
	st["path"] = i.Path
	if s.GetChecksum && i.IsRegular() {
		if sum, err := fileSum(s.n, i.Path, s.ChecksumAlgorithm); err == nil {
			st["checksum"] = sum
		}
	}
	if i.IsLink() {
		st["lnk_target"] = i.Target
	}
	s.files = append(s.files, st)
	if s.Limit > 0 && len(s.files) >= s.Limit {
		return errLimit
	}
	return nil
}

func (s *finder) named(name string) (bool, error) {
	matches := func(list []func(string) (bool, error)) (bool, error) {
		for _, m := range list {
			if ok, err := m(name); ok || err != nil {
				return ok, err
			}
		}
		return false, nil
	}
	if s.patterns != nil {
		if ok, err := matches(s.patterns); !ok || err != nil {
			return false, err
		}
	}
	out, err := matches(s.excludes)
	return !out, err
}

func (s *finder) old(i node.Info) bool {
	if s.age == nil {
		return true
	}
	stamp := map[string]time.Time{"atime": i.ATime, "ctime": i.CTime, "mtime": i.MTime}[s.AgeStamp]
	age := int64(s.n.Now().Sub(stamp).Seconds())
	if *s.age >= 0 {
		return age >= *s.age
	}
	return age <= -*s.age
}

func (s *finder) sized(i node.Info) bool {
	if s.size == nil {
		return true
	}
	if *s.size >= 0 {
		return i.Size >= *s.size
	}
	return i.Size <= -*s.size
}

func (s *finder) moded(i node.Info) bool {
	switch {
	case s.Mode == "":
		return true
	case s.ExactMode == nil || *s.ExactMode:
		return i.Mode == s.mode
	}
	return i.Mode&s.mode == s.mode
}

// hasText looks for contains at the beginning of each line, as Ansible does, or
// anywhere in the whole file.
func (s *finder) hasText(p string) (bool, error) {
	f, err := s.n.Open(p)
	if err != nil {
		return false, nil // it cannot be read: it does not match
	}
	defer f.Close()
	if s.ReadWholeFile {
		b, err := io.ReadAll(f)
		if err != nil {
			return false, nil
		}
		text, _ := decodeText(b)
		m, err := s.contains.Search(text)
		return m != nil, err
	}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			text, _ := decodeText([]byte(line))
			if m, e := s.contains.Match(text); m != nil || e != nil {
				return m != nil, e
			}
		}
		if err != nil {
			return false, nil
		}
	}
}
