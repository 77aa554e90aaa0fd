#!/bin/sh
# Records what ansible-inventory and ansible answer for every case below this
# directory; the answers are what the tests compare with. Where groups of one
# level have children, Ansible's order of their hosts changes from run to run:
# put those lines of matches.txt back by hand. Likewise graph-vars.txt of vaulted:
# Ansible prints a secret there, we do not.
cd "$(dirname "$0")" || exit 1
for dir in */; do
	(
		cd "$dir" || exit 1
		set --
		while read -r s; do set -- "$@" -i "$s"; done <sources
		[ ! -f password ] || set -- "$@" --vault-password-file password
		ansible-inventory "$@" --list >list.json 2>/dev/null
		ansible-inventory "$@" --graph >graph.txt 2>/dev/null
		ansible-inventory "$@" --graph --vars >graph-vars.txt 2>/dev/null
		[ -f patterns ] || exit 0
		while read -r p; do
			printf '%s =>' "$p"
			ansible "$@" "$p" --list-hosts 2>/dev/null | tail -n +2 | while read -r h; do printf ' %s' "$h"; done
			echo
		done <patterns >matches.txt
	)
done
