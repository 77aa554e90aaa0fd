// Package docs embeds the pages for users.
package docs

import "embed"

// Modules holds one page per module, modules/NAME.md, which `mageprov doc`
// prints. A test of the modules demands that each page names every argument.
//
//go:embed modules
var Modules embed.FS
