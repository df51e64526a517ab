//! A file to the processor that its recipe is for.

use std::sync::Arc;

use crate::processor::PhotoProcessor;
use crate::sound::SoundProcessor;
use crate::tools::Tools;
use crate::worker::{Control, Done, Processor, Stop, Task};

pub(crate) struct ByRecipe {
    photo: PhotoProcessor,
    sound: SoundProcessor,
}

impl ByRecipe {
    pub(crate) fn new(tools: &Arc<Tools>) -> Self {
        let (photo, sound) = (Arc::clone(tools), Arc::clone(tools));
        Self { photo: PhotoProcessor::new(photo), sound: SoundProcessor::new(sound) }
    }
}

impl Processor for ByRecipe {
    fn process(&mut self, task: &Task, control: &Control<'_>) -> Result<Done, Stop> {
        if task.job.recipe.speech.is_some() {
            self.sound.process(task, control)
        } else {
            self.photo.process(task, control)
        }
    }
}
