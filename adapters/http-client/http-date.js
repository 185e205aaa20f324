// Reads the dates of HTTP in the three forms that RFC 9110 §5.6.7 has a recipient accept. Owns that grammar.
// Never guesses: what is written otherwise is no date. Date.parse would take "5" for one.
'use strict'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const TIME = '(?<time>(?:[01]\\d|2[0-3]):[0-5]\\d:(?:[0-5]\\d|60))'
const DAY = '(?<day>0[1-9]|[12]\\d|3[01])'
const MONTH = `(?<month>${MONTHS.join('|')})`

const FORMS = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ${DAY} ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  // Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, ${DAY}-${MONTH}-(?<year>\\d{2}) ${TIME} GMT$`),
  // Sun Nov  6 08:49:37 1994
  new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${MONTH} ${DAY.replace('0[1-9]', ' [1-9]')} ${TIME} (?<year>\\d{4})$`),
]

/**
 * Milliseconds since 1970, or NaN for what is no date.
 * @param {string} text
 * @param {number} now milliseconds since 1970, which says what century a year of two digits is in
 * @returns {number}
 */
function httpDate(text, now) {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups
    if (parts === undefined) continue
    const [hours, minutes, seconds] = parts.time.split(':').map(Number)
    const year = parts.year.length === 2 ? nearest(Number(parts.year), now) : Number(parts.year)
    return Date.UTC(year, MONTHS.indexOf(parts.month), Number(parts.day), hours, minutes, seconds)
  }
  return NaN
}

/**
 * A year that would lie more than 50 years ahead is the one that ended so last.
 * @param {number} digits
 * @param {number} now
 */
function nearest(digits, now) {
  const thisYear = new Date(now).getUTCFullYear()
  const year = thisYear - (thisYear % 100) + digits
  return year > thisYear + 50 ? year - 100 : year
}

module.exports = { httpDate }
