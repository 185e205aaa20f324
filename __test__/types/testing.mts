// The contract of spillway/testing: a manual clock is a clock for a spillway. Never runs.
import { spillway } from 'spillway'
import { manualClock } from 'spillway/testing'
import type { ManualClock } from 'spillway/testing'
import { same, type Equal } from './equal.mjs'

const clock = manualClock()
same<Equal<typeof clock, ManualClock>>()
manualClock(Date.UTC(2026, 0, 1))
spillway({ clock })
clock() satisfies number
clock.now satisfies number
clock.advance('5s') satisfies number
clock.advance(250)
clock.set(0) satisfies number
// @ts-expect-error no such unit
clock.advance('5 minutes')
// @ts-expect-error a time, not a span
clock.set('5s')
// @ts-expect-error it is moved by advance() and set()
clock.now = 7
// @ts-expect-error milliseconds
manualClock('5s')
