// Owns when an answer of node:http has ended, and whether it was heard to its end.
// Never listens where nobody wants to know.
'use strict'

/** @typedef {import('node:http').ServerResponse} Response */

/**
 * Tells `charged` how the answer ended, when it has: sent to its end, or closed before.
 * @param {Response} res
 * @param {import('./charge.js').Charged} charged
 */
function onEnd(res, charged) {
  // While a key was being looked up, the client may have gone.
  if (res.closed || res.destroyed) {
    charged.end(res.statusCode, !res.writableFinished)
    return
  }
  // On HTTP/2 it is emitted also when the stream was reset, and then nothing had ended it.
  res.once('finish', () => charged.end(res.statusCode, !res.writableEnded))
  // Comes after 'finish' too, and then finds that all has been said.
  res.once('close', () => charged.end(res.statusCode, true))
}

module.exports = { onEnd }
