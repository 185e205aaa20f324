// Runs bentocache's own suite of drivers, and what is in bentocache-drivers.mjs beside it.
// Never asserts anything itself.
import { assert } from '@japa/assert'
import { configure, run } from '@japa/runner'

configure({ plugins: [assert()], files: ['bentocache-drivers.mjs'] })
run()
