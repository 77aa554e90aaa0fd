// Package jinja is the Jinja2 template language: text or an expression and
// variables in, text or a native value out. It knows nothing of Ansible.
//
// It keeps what Python programs rely on: dictionaries in insertion order,
// integers without limit, None, truth, repr, str and list methods, slices,
// `%` and str.format. Every error names file:line:col.
package jinja
