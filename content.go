// Package mageprov holds the content that the binary ships: playbooks, roles,
// the worked inventories. A directory of the same shape on the disk hides it
// file by file.
package mageprov

import "embed"

// Content is the shipped content, by slash paths as they stand in the tree.
//
//go:embed all:playbooks all:roles all:inventory
var Content embed.FS
