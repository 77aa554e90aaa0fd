package template

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"

	"mageprov/internal/fault"
	"mageprov/internal/jinja"
)

// csvDialects are the names that Python has for kinds of CSV: what divides fields.
var csvDialects = map[string]string{"excel": ",", "excel-tab": "\t", "unix": ","}

// fromCSV reads rows of text as dictionaries; the first row has the keys
// unless fieldnames gives them.
func fromCSV(c *jinja.Call, in any) (any, error) {
	a := take(c, "dialect", "fieldnames", "delimiter", "skipinitialspace", "strict")
	dialect := a.str("dialect", "excel")
	names := a.list("fieldnames")
	delimiter, known := csvDialects[dialect]
	delimiter = a.str("delimiter", delimiter)
	skip, strict := a.flag("skipinitialspace", false), a.flag("strict", false)
	text, ok := in.(string)
	switch {
	case a.err != nil:
		return nil, a.err
	case !known:
		return nil, refuse(c, "dialect %q is not known", dialect).(*fault.Error).WithHint("known: excel, excel-tab, unix")
	case !ok:
		return nil, refuse(c, "needs text, not %s", jinja.TypeName(in))
	case len([]rune(delimiter)) != 1:
		return nil, refuse(c, "delimiter must be one character, not %q", delimiter)
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.TrimLeadingSpace = []rune(delimiter)[0], -1, !strict, skip
	rows, err := r.ReadAll()
	if err != nil {
		return nil, refuse(c, "unable to process file: %v", err)
	}
	if len(names) == 0 && len(rows) > 0 {
		for _, n := range rows[0] {
			names = append(names, n)
		}
		rows = rows[1:]
	}
	out := jinja.NewList()
	for _, row := range rows {
		d := jinja.NewDict()
		for i, n := range names {
			if !jinja.Hashable(n) {
				return nil, refuse(c, "%s cannot be a key", jinja.TypeName(n))
			}
			d.Set(n, nil)
			if i < len(row) {
				d.Set(n, row[i])
			}
		}
		out.Items = append(out.Items, d)
	}
	return out, nil
}

// groupAsDict makes a dictionary of a list by one attribute, which must differ.
func groupAsDict(c *jinja.Call, in any) (any, error) {
	a := take(c, "attribute")
	a.need("attribute")
	if a.err != nil {
		return nil, a.err
	}
	if !isSequence(in) {
		return nil, refuse(c, "needs a list, not %s", jinja.TypeName(in))
	}
	key := a.vals["attribute"]
	out := jinja.NewDict()
	for i, x := range oneOrMany(in) {
		d, err := mapping(c, x)
		if err != nil {
			return nil, err
		}
		k, ok := d.Get(key)
		if !ok || !jinja.Hashable(k) {
			return nil, refuse(c, "attribute %s is not there in element %d", jinja.Repr(key), i)
		}
		if _, twice := out.Get(k); twice {
			return nil, refuse(c, "multiple elements have the attribute value %s", jinja.Repr(k))
		}
		out.Set(k, x)
	}
	return out, nil
}

var unicodeForms = map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}

// normalizeUnicode picks one of the ways to write accented letters.
func normalizeUnicode(c *jinja.Call, in any) (any, error) {
	a := take(c, "form")
	name := a.str("form", "NFC")
	form, ok := unicodeForms[name]
	text, isText := in.(string)
	switch {
	case a.err != nil:
		return nil, a.err
	case !isText:
		return nil, refuse(c, "needs text, not %s", jinja.TypeName(in))
	case !ok:
		return nil, refuse(c, "invalid form %q (known: NFC, NFD, NFKC, NFKD)", name)
	}
	return form.String(text), nil
}

// randomMAC completes the beginning of a MAC address.
func randomMAC(c *jinja.Call, in any) (any, error) {
	a := take(c, "seed")
	text, ok := in.(string)
	if a.err != nil {
		return nil, a.err
	}
	if !ok {
		return nil, refuse(c, "needs text, not %s", jinja.TypeName(in))
	}
	parts := strings.Split(strings.ToLower(text), ":")
	for _, p := range parts {
		if len(p) != 2 || strings.Trim(p, "0123456789abcdef") != "" {
			return nil, refuse(c, "invalid value (%s): %q is no byte in hexadecimal digits", text, p)
		}
	}
	if len(parts) > 5 {
		return nil, refuse(c, "invalid value (%s): 5 items with colons at most", text)
	}
	const least, most = 0x1000000000, 0xffffffffff // ten digits
	digits := fmt.Sprintf("%x", least+randomFrom(a.value("seed", nil)).below(most-least+1))
	out := strings.Join(parts, ":")
	for i := range 6 - len(parts) {
		out += ":" + digits[2*i:2*i+2]
	}
	return out, nil
}

var pemBlock = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]+-----\n.*?-----END [A-Z0-9 ]+-----(?:\n|$)`)

// splitPEM gives each certificate or key of a PEM file.
func splitPEM(c *jinja.Call, in any) (any, error) {
	text, ok := in.(string)
	if a := take(c); a.err != nil || !ok {
		return nil, firstError(a.err, refuse(c, "needs text, not %s", jinja.TypeName(in)))
	}
	return textList(pemBlock.FindAllString(text, -1)), nil
}
