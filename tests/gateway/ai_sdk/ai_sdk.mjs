// What Vercel's AI SDK gets to see, with either of its providers: every call's outcome as one JSON object on stdout.
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, streamText } from 'ai';

const { baseURL, keys } = JSON.parse(process.env.COZECHAT_GIVEN);
const prompt = 'count to 5';
const compatible = (apiKey) => createOpenAICompatible({ name: 'coze', baseURL, apiKey, includeUsage: true });
const models = {
  chat: (name, apiKey = keys.alice) => createOpenAI({ baseURL, apiKey }).chat(name),
  responses: (name, apiKey = keys.alice) => createOpenAI({ baseURL, apiKey })(name),
  compatible: (name, apiKey = keys.alice) => compatible(apiKey)(name),
};
// Each provider hears its own options; both name the end user `user`.
const as = (user) => ({ providerOptions: { openai: { user }, coze: { user } } });

async function whole(model, more = {}) {
  const found = await generateText({ model, prompt, maxRetries: 0, ...more });
  return {
    text: found.text,
    usage: found.usage,
    finishReason: found.finishReason,
    conversation: found.response.headers['x-conversation-id'],
  };
}

async function streamed(model, more = {}) {
  const stream = streamText({ model, prompt, maxRetries: 0, onError() {}, ...more });
  const kinds = [];
  let text = '';
  let reasoning = '';
  let failure = null;
  for await (const part of stream.fullStream) {
    kinds.push(part.type);
    if (part.type === 'text-delta') text += part.text;
    if (part.type === 'reasoning-delta') reasoning += part.text;
    if (part.type === 'error') failure = part.error;
  }
  if (failure) throw failure;
  return { kinds, text, reasoning, usage: await stream.usage, finishReason: await stream.finishReason };
}

const checks = {};
for (const [kind, model] of Object.entries(models)) {
  Object.assign(checks, {
    [`${kind}: whole`]: () => whole(model('gpt-4')),
    [`${kind}: stream`]: () => streamed(model('gpt-4')),
    [`${kind}: workflow`]: () => streamed(model('summary')),
    [`${kind}: wrong key`]: () => whole(model('gpt-4', 'sk-cc-wrong')),
    [`${kind}: unknown model`]: () => whole(model('gpt-5')),
    [`${kind}: no money`]: () => whole(model('gpt-4', keys.penniless)),
    [`${kind}: no money, streamed`]: () => streamed(model('gpt-4', keys.penniless)),
    [`${kind}: too fast`]: async () => {
      await whole(model('gpt-4', keys.hasty[kind]));
      return whole(model('gpt-4', keys.hasty[kind]));
    },
    [`${kind}: cut short`]: () => streamed(model('question')),
    [`${kind}: alice`]: () => whole(model('gpt-4'), as('alice')),
    [`${kind}: bob`]: () => whole(model('gpt-4'), as('bob')),
  });
}
for (const kind of ['chat', 'compatible']) {
  const say = (user, prompt, conversation) =>
    whole(models[kind]('gpt-4'), { prompt, headers: { 'X-Conversation-Id': conversation }, ...as(user) });
  checks[`${kind}: conversation`] = async () => {
    const { conversation } = await say('alice', 'My name is Zoe.', 'new');
    const { text } = await say('alice', 'what is my name?', conversation);
    const bobs = [];
    for (const wanted of [conversation, 'conv_0']) {
      try {
        await say('bob', 'what is my name?', wanted);
      } catch (error) {
        bobs.push([error.statusCode, error.responseBody]);
      }
    }
    return { text, bobs };
  };
}

const outcomes = {};
for (const [name, check] of Object.entries(checks)) {
  try {
    outcomes[name] = { value: await check() };
  } catch (error) {
    const { statusCode, message = JSON.stringify(error), isRetryable, data } = error;
    const called = APICallError.isInstance(error);
    outcomes[name] = { error: { called, statusCode, message, isRetryable, code: data?.error?.code } };
  }
}
console.log(JSON.stringify(outcomes));
