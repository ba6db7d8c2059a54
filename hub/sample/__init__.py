"""The sample: a small firm for solar systems with its customers, to look around in before real ones write.

`loading.load` puts it into a house, `removing.remove` takes away what it put there and nothing else. Names, addresses (all under
``.example``) and texts are made up.
"""
