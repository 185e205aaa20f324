// Says what to try.
// Never cached as anything else than the page it is.
export default function Page() {
  return (
    <pre>{`http://localhost:3000/products/7                              a page, made once
http://localhost:3000/prices                                  a component, made once in a page made each time
curl -X POST 'http://localhost:3000/api/revalidate?tag=prices'               gone: the next one waits
curl -X POST 'http://localhost:3000/api/revalidate?tag=prices&profile=max'   stale: made anew behind the next one
curl http://localhost:3000/api/caches                         what the two caches have counted`}</pre>
  )
}
