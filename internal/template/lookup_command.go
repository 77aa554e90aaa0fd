package template

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// commandPlugins run commands, fetch pages and make passwords on the controller.
var commandPlugins = map[string]plugin{
	"pipe":     lookPipe,
	"lines":    lookLines,
	"password": lookPassword,
	"url":      lookURL,
}

// run gives the output of a shell command. The user asked for a shell: pipes
// and redirections are what these lookups are for.
func (l *lookup) run(line string) (string, error) {
	cmd := exec.CommandContext(l.ctx, "/bin/sh", "-c", line)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fault.At(l.c.Place, "lookup %s: %s: %v: %s", l.c.Name, short(line), err, short(strings.TrimSpace(stderr.String())))
	}
	return string(out), nil
}

func lookPipe(l *lookup) ([]any, error) {
	var out []any
	for _, t := range l.terms {
		s, err := l.run(jinja.Str(t))
		if err != nil {
			return nil, err
		}
		out = append(out, strings.TrimRight(s, " \t\r\n\v\f"))
	}
	return out, nil
}

func lookLines(l *lookup) ([]any, error) {
	var out []any
	for _, t := range l.terms {
		s, err := l.run(jinja.Str(t))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(s) {
			out = append(out, strings.TrimRight(line, "\r\n"))
		}
	}
	return out, nil
}

const (
	letters     = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	decimals    = "0123456789"
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// characterSets are the names that chars= knows; anything else stands for itself.
var characterSets = map[string]string{
	"ascii_letters": letters, "ascii_lowercase": letters[:26], "ascii_uppercase": letters[26:], "digits": decimals,
	"punctuation": punctuation, "hexdigits": decimals + "abcdefABCDEF", "octdigits": "01234567", "whitespace": " \t\n\r\v\f",
	"printable": decimals + letters + punctuation + " \t\n\r\v\f",
}

// lookPassword reads a password from a file, or makes one and writes it there.
func lookPassword(l *lookup) ([]any, error) {
	var out []any
	for _, t := range l.terms {
		a := l.options("length", "chars", "encrypt", "ident", "seed")
		file := a.termOptions(jinja.Str(t))
		length := a.num("length", 20)
		chars := alphabet(a.value("chars", nil))
		encrypt, ident := a.str("encrypt", ""), a.str("ident", "")
		if stray := strayOption.FindString(file); stray != "" {
			a.fail("has no argument %q", strings.Trim(stray, " ="))
		}
		if a.err != nil {
			return nil, a.err
		}
		password, salt, err := storedPassword(file)
		if err != nil {
			return nil, refuse(l.c, "%v", err)
		}
		stored := password != ""
		if seed := a.value("seed", nil); !stored && seed != nil && chars != "" {
			password = randomFrom(seed).text(length, []rune(chars))
		} else if !stored {
			if password, err = randomText(length, chars); err != nil {
				return nil, refuse(l.c, "%v", err)
			}
		}
		needSalt := encrypt != "" && salt == ""
		if needSalt {
			o := cryptSchemes[strings.TrimSuffix(strings.Replace(encrypt, "blowfish", "bcrypt", 1), "_crypt")]
			if salt, err = randomText(max(o.saltSize, 8), saltAlphabet); err != nil {
				return nil, refuse(l.c, "%v", err)
			}
			if o.fixedSaltSize { // the last character carries two bits only
				salt = salt[:len(salt)-1] + "e"
			}
		}
		if (!stored || needSalt) && file != os.DevNull {
			if err := storePassword(file, password, salt); err != nil {
				return nil, refuse(l.c, "%v", err)
			}
		}
		if encrypt != "" {
			if password, err = cryptPassword(password, cryptOptions{Scheme: encrypt, Salt: salt, Ident: ident}); err != nil {
				return nil, refuse(l.c, "%v", err)
			}
		}
		out = append(out, password)
	}
	return out, nil
}

// strayOption is a word of a term that looks like an option but is none.
var strayOption = regexp.MustCompile(` [a-z_]+=`)

// alphabet is what a password is made of: a list of names and characters, or
// one text of them with commas between, in which two commas stand for one.
func alphabet(chars any) string {
	var names []string
	switch v := chars.(type) {
	case nil:
	case string:
		if strings.Contains(v, ",,") {
			names, v = append(names, ","), strings.ReplaceAll(v, ",,", ",")
		}
		names = append(names, strings.Split(v, ",")...)
	default:
		for _, c := range oneOrMany(v) {
			names = append(names, jinja.Str(c))
		}
	}
	if len(names) == 0 {
		names = []string{letters, decimals, ".,:-_"}
	}
	var b strings.Builder
	for _, n := range names {
		set, ok := characterSets[n]
		if !ok {
			set = n
		}
		b.WriteString(set)
	}
	return strings.NewReplacer("'", "", `"`, "").Replace(b.String()) // quotes would need quoting
}

// storedPassword reads "password salt=xyz"; both are empty when there is no file.
func storedPassword(file string) (password, salt string, err error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	password = strings.TrimRight(string(data), "\r\n")
	if i := strings.LastIndex(password, " ident="); i >= 0 {
		password = password[:i]
	}
	if i := strings.LastIndex(password, " salt="); i >= 0 {
		password, salt = password[:i], password[i+len(" salt="):]
	}
	return password, salt, nil
}

// storePassword writes the file in one step; only the user can read it.
func storePassword(file, password, salt string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".password-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	text := password
	if salt != "" {
		text += " salt=" + salt
	}
	if _, err := tmp.WriteString(text + "\n"); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

// pageLimit bounds what a lookup takes from a server.
const pageLimit = 64 << 20

func lookURL(l *lookup) ([]any, error) {
	a := l.options("validate_certs", "use_proxy", "username", "password", "headers", "timeout", "split_lines", "http_agent",
		"force", "force_basic_auth", "follow_redirects", "use_gssapi", "unix_socket", "ca_path", "unredirected_headers", "ciphers", "use_netrc")
	seconds, ok := number(a.value("timeout", int64(10)))
	if !ok {
		a.fail("argument \"timeout\" must be a number")
	}
	if a.err != nil {
		return nil, a.err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	if !a.flag("use_proxy", true) {
		transport.Proxy = nil
	}
	if !a.flag("validate_certs", true) {
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	client := &http.Client{Transport: transport, Timeout: time.Duration(seconds * float64(time.Second))}
	var out []any
	for _, t := range l.terms {
		body, err := fetch(l, client, jinja.Str(t))
		if err != nil {
			return nil, fault.At(l.c.Place, "lookup url: %v", err)
		}
		if !a.flag("split_lines", true) {
			out = append(out, body)
			continue
		}
		for line := range strings.Lines(body) {
			out = append(out, strings.TrimRight(line, "\r\n"))
		}
	}
	return out, nil
}

func fetch(l *lookup, client *http.Client, address string) (string, error) {
	req, err := http.NewRequestWithContext(l.ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", l.str("http_agent", "ansible-httpget"))
	if d, ok := l.value("headers", nil).(*jinja.Dict); ok {
		for k, v := range d.All() {
			req.Header.Set(jinja.Str(k), jinja.Str(v))
		}
	}
	if user := l.str("username", ""); user != "" {
		req.SetBasicAuth(user, l.str("password", ""))
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 400 {
		return "", fmt.Errorf("received HTTP error for %s: %s", req.URL.Redacted(), resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, pageLimit))
	return string(data), err
}
