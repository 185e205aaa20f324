// The time that all processes of a run share: milliseconds of the system's monotonic clock. Owns that choice.
// Never wall time, which a scenario may move.
'use strict'

const now = () => Number(process.hrtime.bigint()) / 1e6

module.exports = { now }
