"""Formats: where an action begins and ends, and that turns join to what a template would write."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from guerdon.errors import PolicyError
from guerdon.policies.tokens import END, SAY, ChatFormat, PlainFormat, format_of, word_tokenizer

TEXT = [
    "you see a red door and a key .",
    "go north",
    "take key\n> open door\n",
    "the door is locked , try the key !",
] * 4
TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TURNS = [("a red door", "go north"), ("a key", "take key"), ("", "open door")]


def byte_tokenizer(template=None, **special):
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(TEXT, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, **special)
    tokenizer.chat_template = template
    return tokenizer


@pytest.fixture
def chat():
    return byte_tokenizer(TEMPLATE, eos_token="<|im_end|>", pad_token="<|endoftext|>")


def joined(form, turns=TURNS):
    """Read, say, read, say, read: as a whole history holds them."""
    tokens = []
    for at, (seen, said) in enumerate(turns):
        tokens += [*form.read(seen, at == 0), *form.say(said)]
    return tokens


# The chat format


@pytest.mark.parametrize("count", [1, 2, 3])
def test_turns_join_to_what_the_template_writes_for_the_whole_conversation(chat, count):
    form = ChatFormat(chat)
    messages = []
    for seen, said in TURNS[:count]:
        messages += [{"role": "user", "content": seen}, {"role": "assistant", "content": said}]
    whole = chat.apply_chat_template(messages, tokenize=False).removesuffix("\n")  # written after the last end
    assert joined(form, TURNS[:count]) == chat.encode(whole, add_special_tokens=False)
    messages.append({"role": "user", "content": "a wall"})
    whole = chat.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    together = [*joined(form, TURNS[:count]), *form.read("a wall", False)]
    assert together == chat.encode(whole, add_special_tokens=False)


def test_an_opening_is_the_template_of_one_message(chat):
    assert chat.decode(ChatFormat(chat).read("a key", True)) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\na key<|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_text_of_a_chat_action_is_without_its_end(chat):
    form = ChatFormat(chat)
    assert form.ends == {chat.convert_tokens_to_ids("<|im_end|>")}
    assert form.say("go north")[-1] in form.ends
    assert form.text(form.say("go north")) == "go north"
    assert form.text(form.say("go north")[:-1]) == "go north"


def test_a_chat_without_an_eos_is_refused():
    with pytest.raises(PolicyError, match="no eos token"):
        ChatFormat(byte_tokenizer(TEMPLATE))


def test_the_pad_of_a_chat_is_its_own_or_the_end(chat):
    assert ChatFormat(chat).pad == chat.pad_token_id
    without = byte_tokenizer(TEMPLATE, eos_token="<|im_end|>")
    assert ChatFormat(without).pad == without.eos_token_id


# The plain format


def test_byte_level_text_comes_back_as_it_was():
    tokenizer = byte_tokenizer(eos_token="<|endoftext|>")
    form = PlainFormat(tokenizer, say="\n>", end="\n")
    assert tokenizer.decode(form.read("a ré d door", True)) == "a ré d door\n>"
    assert form.read("a key", True) == form.read("a key", False)
    assert form.text(form.say("öpen door")) == "öpen door"
    assert form.ends == {form.say("x")[-1], tokenizer.eos_token_id}
    assert form.text((*form.say("go")[:-1], tokenizer.eos_token_id)) == "go"


def test_an_action_of_nothing_is_an_end_alone():
    form = PlainFormat(word_tokenizer(["go"]))
    assert len(form.say("")) == 1
    assert form.text(form.say("")) == ""


def test_an_end_of_several_tokens_is_refused():
    with pytest.raises(PolicyError, match="an action must end with one"):
        PlainFormat(byte_tokenizer(), say="\n>", end="zq zq")


# The word tokenizer


def test_words_are_tokens_and_come_back():
    tokenizer = word_tokenizer(["go", "north", "door", "go"])
    ids = tokenizer.encode("go door north", add_special_tokens=False)
    assert len(ids) == len(set(ids)) == 3
    assert tokenizer.decode(ids) == "go door north"
    assert len(tokenizer) == 4 + 3


def test_unknown_words_are_unknown_and_cost_one_token_each():
    tokenizer = word_tokenizer(["go"])
    assert tokenizer.encode("fly go away", add_special_tokens=False) == [
        tokenizer.unk_token_id,
        tokenizer.convert_tokens_to_ids("go"),
        tokenizer.unk_token_id,
    ]
    assert PlainFormat(tokenizer).text(PlainFormat(tokenizer).say("fly")) == "<unk>"


def test_a_word_tokenizer_that_was_saved_loads_as_it_was(tmp_path):
    tokenizer = word_tokenizer(["go", "north", "door"])
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    text = f"go door {SAY} fly north {END}"
    assert loaded.encode(text) == tokenizer.encode(text)
    before, after = PlainFormat(tokenizer), PlainFormat(loaded)
    assert (before.ends, before.pad, joined(before)) == (after.ends, after.pad, joined(after))
    assert before.text(before.say("go north")) == after.text(after.say("go north")) == "go north"


def test_the_order_of_the_words_does_not_matter():
    assert word_tokenizer(["b", "a"]).get_vocab() == word_tokenizer(["a", "b", "a"]).get_vocab()


# Which format


def test_the_format_follows_the_tokenizer(chat):
    assert isinstance(format_of(chat), ChatFormat)
    words = format_of(word_tokenizer(["go"]))
    assert isinstance(words, PlainFormat) and len(words.read("go", True)) == 2
    bare = byte_tokenizer()
    assert bare.decode(format_of(bare).read("a key", True)) == "a key\n>"
