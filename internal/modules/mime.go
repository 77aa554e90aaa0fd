package modules

import (
	"bytes"
	"unicode/utf8"
)

// magics are the first bytes of the formats that a provisioner meets.
var magics = []struct{ prefix, mime string }{
	{"\x7fELF", "application/x-executable"},
	{"\x1f\x8b", "application/gzip"},
	{"BZh", "application/x-bzip2"},
	{"\xfd7zXZ\x00", "application/x-xz"},
	{"\x28\xb5\x2f\xfd", "application/zstd"},
	{"PK\x03\x04", "application/zip"},
	{"!<arch>\ndebian", "application/vnd.debian.binary-package"},
	{"\x89PNG\r\n\x1a\n", "image/png"},
	{"\xff\xd8\xff", "image/jpeg"},
	{"%PDF-", "application/pdf"},
	{"#!/bin/sh", "text/x-shellscript"},
	{"#!/bin/bash", "text/x-shellscript"},
	{"<?xml", "text/xml"},
}

// sniff guesses type and character set from the beginning of a file.
func sniff(head []byte) (mime, charset string) {
	mime = "application/octet-stream"
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.prefix)) {
			mime = m.mime
			break
		}
	}
	switch {
	case bytes.IndexByte(head, 0) >= 0:
		return mime, "binary"
	case isASCII(head):
		charset = "us-ascii"
	case utf8.Valid(head) || len(head) == 4096 && utf8.Valid(bytes.ToValidUTF8(head[:4093], nil)):
		charset = "utf-8"
	default:
		return mime, "binary"
	}
	if mime == "application/octet-stream" {
		mime = "text/plain"
	}
	return mime, charset
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 128 {
			return false
		}
	}
	return true
}
