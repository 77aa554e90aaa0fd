package template

import (
	"mageprov/internal/jinja"
	"mageprov/internal/vault"
)

var vaultFilters = map[string]jinja.Filter{
	"vault":   vaultFilter,
	"unvault": unvaultFilter,
}

// vaultFilter encrypts a text under a password that the playbook gives.
func vaultFilter(c *jinja.Call, in any) (any, error) {
	a := take(c, "secret", "salt", "vault_id", "wrap_object", "vaultid")
	a.need("secret")
	secret, ok := a.value("secret", nil).(string)
	text, isText := in.(string)
	id := a.str("vault_id", a.str("vaultid", "filter_default"))
	switch {
	case a.err != nil:
		return nil, a.err
	case !ok:
		return nil, refuse(c, "the secret must be text, not %s", jinja.TypeName(a.vals["secret"]))
	case !isText:
		return nil, refuse(c, "can only encrypt text, not %s", jinja.TypeName(in))
	case a.flag("wrap_object", false):
		return nil, refuse(c, "wrap_object is not supported: the result is text")
	}
	var out []byte
	var err error
	if salt := a.str("salt", ""); salt != "" {
		out, err = vault.EncryptSalted([]byte(text), []byte(secret), []byte(salt), id)
	} else {
		out, err = vault.Encrypt([]byte(text), []byte(secret), id)
	}
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	return string(out), nil
}

// unvaultFilter decrypts a text; what is not encrypted stays as it is.
func unvaultFilter(c *jinja.Call, in any) (any, error) {
	a := take(c, "secret", "vault_id", "vaultid")
	a.need("secret")
	secret, ok := a.value("secret", nil).(string)
	text, isText := in.(string)
	switch {
	case a.err != nil:
		return nil, a.err
	case !ok:
		return nil, refuse(c, "the secret must be text, not %s", jinja.TypeName(a.vals["secret"]))
	case !isText:
		return nil, refuse(c, "needs text, not %s", jinja.TypeName(in))
	case !vault.Encrypted([]byte(text)):
		return text, nil
	}
	e, err := vault.Parse([]byte(text))
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	out, err := e.Decrypt([]byte(secret))
	if err != nil {
		return nil, refuse(c, "%v", err)
	}
	return string(out), nil
}
