// GET /news: a page that the build has made, and that is made anew after an hour, or when somebody says so.
// Never made for a request: it is in the cache of pages.
export const revalidate = 3600

export default function Page() {
  return <p>As of {Date.now()}</p>
}
