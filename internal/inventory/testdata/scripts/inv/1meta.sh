#!/bin/sh
# With _meta nobody asks for --host.
test "$1" = --list || exit 1
cat <<'J'
{
  "_meta": {"hostvars": {"a1": {"x": 1, "t": "{{ x }}", "deep": {"k": [1, "two", null]}}, "ghost": {"y": 2}}},
  "web": {"hosts": ["a1", "a2"], "vars": {"port": 80}, "children": ["inner"]},
  "inner": {"hosts": ["a3"]},
  "old": ["a1", "b1"],
  "alone": {"v": "of a host that is its own group"},
  "empty": {},
  "parent": {"children": ["web", "new"]},
  "[odd]": {"hosts": ["a[1:2]", "h:22"]}
}
J
