"""How people recover: one file, one procedure, executable and printable."""

RUNBOOKS = (
    "restore_from_backup",
    "rewind_to_a_point_in_time",
    "restore_in_another_region",
    "cut_over",
)
