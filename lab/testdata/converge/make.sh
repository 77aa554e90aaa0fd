#!/bin/sh
echo "made $1"
echo "$2" >"$1"
