package modules

import (
	"strings"
	"testing"

	"mageprov/internal/fault"
)

// TestRunnable: which files of a library can be run, and why others cannot.
func TestRunnable(t *testing.T) {
	for _, c := range []struct{ content, want, hint string }{
		{"#!/bin/sh\n# WANT_JSON\n", "", ""},
		{"\x7fELF\x02\x01", "", ""},
		{"#!/usr/bin/python3\nimport json, sys\nWANT_JSON = 1\n", "", ""},
		{"#!/usr/bin/python\nfrom ansible.module_utils.basic import AnsibleModule\n", "made for Ansible's own Python library", "JSON file"},
		{"#!/usr/bin/python\n#<<INCLUDE_ANSIBLE_MODULE_COMMON>>\n", "made for Ansible's own Python library", "JSON file"},
		{"#!powershell\n#Requires -Module Ansible.ModuleUtils.Legacy\n", "made for PowerShell", "JSON file"},
		{"#!/bin/sh\n. $1\necho changed=true\n", "takes its arguments as key=value", "WANT_JSON"},
		{"echo hi\n", "neither a binary nor a script", "JSON file"},
	} {
		_, err := foreignModule("own", "library/own", []byte(c.content))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(fault.HintOf(err), c.hint)) {
			t.Errorf("%q: %v, want %q", c.content, err, c.want)
		}
	}
}

// FuzzFirstObject: what a module prints is foreign; it is an object or an error.
func FuzzFirstObject(f *testing.F) {
	f.Add([]byte("noise\n{\"a\": 1}\nmore"))
	f.Add([]byte("{"))
	f.Add([]byte("  \n\n[1]\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		if v, err := firstObject(out); err == nil && v == nil {
			t.Fatalf("neither object nor error from %q", out)
		}
	})
}
