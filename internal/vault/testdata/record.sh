#!/bin/sh
# Encrypts every *.plain with ansible-vault: the tests decrypt what it wrote.
cd "$(dirname "$0")" || exit 1
for f in *.plain; do
	case $f in
	labelled*) set -- --vault-id dev@password ;;
	*) set -- --vault-password-file password ;;
	esac
	ansible-vault encrypt "$@" --output "${f%.plain}.vault" "$f"
done
