"""What an installation takes, measured in machines of one kind: a file for each comparison.

`floor` (make bench) sets it beside what the machine allows, `pairs` (make bench BASE=...) beside another revision's,
`disks` (make bench-disks) beside the same with more disks.
"""
