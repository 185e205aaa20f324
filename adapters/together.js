// Owns the face of charging a request to several limiters, for every adapter.
// Never needs the native binding, Node's http or a global at import, so it loads in edge and browser bundles too.
'use strict'

const { together } = require('./http/all-or-none.js')

module.exports = { together }
