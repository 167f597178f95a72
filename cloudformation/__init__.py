"""Templates and cloud assemblies as data: intrinsic functions resolved, without AWS."""
