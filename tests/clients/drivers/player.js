// Makes calls with an SDK of browsers: in jsdom and in Chromium alike, after the SDK's own script.

;(() => {
  /** How each SDK is started. */
  const openings = {
    async '@segment/analytics-next'({ url, key, options = {} }) {
      const [client] = await AnalyticsNext.AnalyticsBrowser.load({ writeKey: key, cdnURL: url }, options)
      return { client, anonymousId: () => client.user().anonymousId() }
    },
    async '@rudderstack/analytics-js'({ url, key, options = {} }) {
      const client = new rudderanalytics.RudderAnalytics()
      // jsdom lacks what nobody here uses, and a polyfill would come from elsewhere.
      client.load(key, url, { configUrl: url, polyfillIfRequired: false, ...options })
      await new Promise((ready) => client.ready(ready))
      return { client, anonymousId: () => client.getAnonymousId() }
    },
  }

  /** The arguments of a call, in the order that both SDKs take them. */
  const positions = {
    page: ({ category, name, properties }) => [category, name, properties],
    screen: ({ category, name, properties }) => [category, name, properties],
    track: ({ event, properties }) => [event, properties],
    identify: ({ userId, traits }) => (userId === undefined ? [traits] : [userId, traits]),
    group: ({ groupId, traits }) => [groupId, traits],
    alias: ({ userId }) => [userId],
  }

  /** Carry out the calls; each answer is the anonymous id that its event has to have. */
  globalThis.carryOut = async (setting) => {
    const { client, anonymousId } = await openings[setting.package](setting)
    const spans = []
    const answers = []
    for (const { do: method, options, ...told } of setting.calls) {
      const begun = Date.now()
      if (method === 'reset') client.reset()
      else await client[method](...positions[method](told), ...(options ? [options] : []))
      spans.push([begun, Date.now()])
      answers.push(anonymousId())
      // Events are told apart by their time, which goes by milliseconds.
      while (Date.now() <= spans.at(-1)[1]) await new Promise((later) => setTimeout(later, 1))
    }
    return { spans, answers }
  }
})()
