// Package template gives jinja Ansible's dialect: its filters, tests and
// lookups, variables that are rendered when they are read, native values, omit.
//
// One Engine serves a run, one Scope one task on one host. Only *jinja.Text is
// ever rendered; whatever a lookup, a filter or a node returns is data.
package template
