// Package modules holds the modules, each in a file of its own name, with its
// page in docs/modules and its cases in testdata. A module registers itself;
// there is no list to extend. What several modules share has a file named for
// what it is about: filetext.go edits text files, fileargs.go is mode and owner,
// aptget.go runs apt-get.
//
// Names, aliases, defaults and return values of arguments are Ansible's, and so
// are the words of messages that playbooks look for.
package modules
