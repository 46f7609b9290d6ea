"""One package per virtual machine, with the same files in the same order."""
