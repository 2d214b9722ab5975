"""The matrices of docs/faults.md: what goes wrong at Coze and here, and what people then see."""
