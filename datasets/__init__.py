"""Set-up scripts; see README.md. (Without this file an installed package `datasets` would hide this folder.)"""
